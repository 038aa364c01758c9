"""What do requests see of each fault: of Redis, of a provider, of a process, of the disk?

Redis: two workers (in this process) share a real redis-server behind a proxy; 40 requests a second, half of them of one
user whose budget runs out, for 1 s before, 2 s during and 6 s after the fault. Provider: the first of two models meets
the fault for 2 s, over real HTTP; asked by chat completions, and by Messages, Responses and completions in turn, whole
and streamed ("other protocols"); the one model for vectors meets it alone ("embeddings"); by a cascade, either of its
tiers' first models does ("a cascade's cheap tier", "a cascade's expensive tier"). Process: real servers with
one Redis. The columns are told in docs/fault_matrix.md, which this writes.

Wanted in each row: no wrong answer, nothing overspent, nothing left reserved, healed within the row's own time; where
somebody else could answer, nobody refused.

Caveats: one machine, so that nothing here is a network's doing; Redis' own clock cannot be set, so that a clock is that
of one worker.

    python benchmarks/fault_matrix.py [--only TEXT ...] [--json]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.faults import process_faults, provider_faults, redis_faults
from tests.support.faults.row import Row

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "fault_matrix.md"
MODULES: tuple[Any, ...] = (redis_faults, provider_faults, process_faults)
MEASURES = {name: module.measure for module in MODULES for name in module.FAULTS}


def page(rows: list[Row], machine: str) -> str:
    """The page of the documentation, from the figures."""
    lines = [
        "# What requests see of each fault",
        "",
        "Written by `python benchmarks/fault_matrix.py`, which exits with 1 where a row is not as wanted; a part of it",
        "runs with the tests (`tests/test_fault_matrix.py`).",
        "",
        "- **answered**: in time, with the right answer. **refused**: 429, 503 or 504 in good order; half",
        "  of the requests of a Redis' or provider's row are of a user whose budget runs out, and a budget that",
        '  cannot be asked refuses (`[budgets] on_outage = "refuse"`, the default). **wrong**: anything else.',
        "- **overspent**: above the budgets, by the provider's own books. **left reserved**: at the end.",
        "- **healed**: from the fault's end to the last refusal before a whole second without one.",
        "",
        f"Measured on {machine}.",
        "",
        "| fault | asked | answered | refused | wrong | overspent, USD | left reserved, USD | healed, s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        figures = (row.asked, row.answered, row.refused, row.wrong)
        money = f"{row.overspent_usd:.2f} | {row.reserved_usd:.2f} | {row.healed_s:.1f}"
        lines.append(f"| {row.fault} | {' | '.join(map(str, figures))} | {money} |")
    missed = [f"- {row.fault}: {', '.join(row.misses)}" for row in rows if row.misses]
    return "\n".join([*lines, "", "Not as wanted: " + ("none." if not missed else ""), "", *missed]).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="the faults whose names hold one of these")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    begun, rows, examples = time.monotonic(), [], {}
    for name, measure in MEASURES.items():
        if options.only and not any(text in name for text in options.only):
            continue
        row, wrong = measure(name)
        rows.append(row)
        examples[name] = wrong[:3]
        print(f"{name}: {', '.join(row.misses) or 'as wanted'} {wrong[:2] or ''}", file=sys.stderr, flush=True)
    machine = f"{platform.machine()}, {multiprocessing.cpu_count()} cores, Python {platform.python_version()}"
    results: dict[str, Any] = {
        "question": __doc__.partition("\n")[0],
        "machine": machine,
        "took_s": round(time.monotonic() - begun, 1),
        "rows": [{**asdict(row), "misses": row.misses, "examples": examples[row.fault]} for row in rows],
    }
    if not options.only:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "fault_matrix.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        PAGE.write_text(page(rows, machine), "utf-8")
    print(json.dumps(results, indent=1) if options.json else page(rows, machine))
    return 1 if any(row.misses for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
