"""Does anything that a caller or a provider can send make a 500, a hang or a leak?

Bodies of all our protocols and chunk streams, from a seed: valid ones, nearly valid and hostile ones, at both doors,
the provider a process of its own on loopback that speaks four wires. Half of the cases are hostile callers beside a
provider that answers well: they may see no 5xx, and no circuit may move. The other half are plain callers whose
provider sends anything: they may see any refusal but a 500, and must get an ending that a client understands.

Caveat: what is right in an answer is not judged here (the matrix in tests/wire does).

    python benchmarks/wire_fuzz.py [--count 100000] [--seed 1] [--first 0] [--transport direct] [--add-to FILE] [--json]

A finding is named by its case: `--seed S --first N --count 4` runs it again. A long run goes in parts: each with its
`--first` and `--count`, and the same `--add-to`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.wire_fuzz.run import run

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="cases (100000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first case's number")
    parser.add_argument("--transport", choices=("direct", "litellm"), default="direct")
    parser.add_argument("--add-to", type=Path, metavar="FILE", help="add the figures to those of the parts before it")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    begun = time.monotonic()
    report = run(seed=options.seed, count=options.count, first=options.first, transport=options.transport)
    results = {
        "question": __doc__.partition("\n")[0],
        "seed": options.seed,
        "transport": options.transport,
        "cases": report.cases,
        "took_s": round(time.monotonic() - begun, 1),
        "slowest_case": {"number": report.slowest, "seconds": round(report.slowest_s, 3)},
        "statuses": dict(sorted(report.statuses.items())),
        "counts": {name: len(found) for name, found in report.findings.items()},
        "examples": {name: found[:20] for name, found in report.findings.items() if found},
    }
    file = options.add_to or (RESULTS / "wire_fuzz.json" if options.count >= 100_000 else None)
    if file is not None:
        before = json.loads(file.read_text("utf-8")) if options.add_to and file.exists() else None
        file.write_text(json.dumps(together(before, results), indent=1) + "\n", "utf-8")
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        print(f"seed {options.seed}, {report.cases} cases in {results['took_s']} s")
        print(", ".join(f"{name}: {len(found)}" for name, found in report.findings.items()))
        for name, found in report.findings.items():
            for number, what in found[:20]:
                print(f"  {name}, case {number}: {what}")
    return 0 if report.clean else 1


def together(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """The figures of two parts of one run. Raises SystemExit where they are of different ones."""
    if before is None:
        return after
    if any(before[name] != after[name] for name in ("seed", "transport")):
        raise SystemExit("the figures in --add-to are of another seed or transport")
    return {
        **after,
        "cases": before["cases"] + after["cases"],
        "took_s": round(before["took_s"] + after["took_s"], 1),
        "slowest_case": max(before["slowest_case"], after["slowest_case"], key=lambda case: float(case["seconds"])),
        "statuses": dict(sorted((Counter(before["statuses"]) + Counter(after["statuses"])).items())),
        "counts": {name: before["counts"][name] + count for name, count in after["counts"].items()},
        "examples": {**before["examples"], **after["examples"]},
    }


if __name__ == "__main__":
    sys.exit(main())
