"""Does the memory store stay within its byte bound, and does it stay fast when it is full?

A million distinct entries of 100 to 4,000 bytes, each of another user, are written into a store of 256 MiB, which
holds about a tenth of them. The figures: how much the process' resident memory grew at its highest, as a share of
the bound, and the time a write takes while the store fills and while each write evicts. Eviction is O(1) if the
second does not grow with the number of entries: it is told for a store of an eighth of the size too.

Caveats: glibc's allocator; one machine, shared. Times are medians of 20 laps, a process a store.

    python benchmarks/memory_store.py
"""

from __future__ import annotations

import gc
import json
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from turnout.ports.admission import NewEntry
from turnout.stores.memory.answers import MemoryAnswers

RESULTS = Path(__file__).parent / "results"
ENTRIES = 1_000_000
LAPS = 20
BOUNDS = (32 << 20, 256 << 20)


def fill(bound: int) -> dict[str, float]:
    """What one store took and how fast it was."""
    process = psutil.Process()
    sizes = random.Random(1)
    blob = sizes.randbytes(4000)
    answers = MemoryAnswers(max_entries=10 * ENTRIES, max_bytes=bound)
    gc.collect()
    before = peak = process.memory_info().rss
    filling: list[float] = []
    evicting: list[float] = []
    for lap in range(LAPS):
        was = len(answers)
        numbers = range(lap * ENTRIES // LAPS, (lap + 1) * ENTRIES // LAPS)
        began = time.perf_counter()
        for number in numbers:
            packed = blob[: sizes.randrange(100, 4000)]
            store = NewEntry(packed=packed, ttl_s=10, stale_s=20, user=f"user-{number}", endpoint="/ask")
            answers.put(number.to_bytes(16, "big"), store, 0.0)
        took = (time.perf_counter() - began) / len(numbers) * 1e6
        (filling if len(answers) - was == len(numbers) else evicting).append(took)
        peak = max(peak, process.memory_info().rss)
    return {
        "bound_mib": bound / (1 << 20),
        "entries_held": len(answers),
        "resident_share_of_bound": round((peak - before) / bound, 3),
        "write_filling_us": round(statistics.median(filling), 2) if filling else float("nan"),
        "write_evicting_us": round(statistics.median(evicting), 2),
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(fill(int(sys.argv[1]))))
        return
    rows = []
    for bound in BOUNDS:
        told = subprocess.run([sys.executable, __file__, str(bound)], capture_output=True, text=True, check=True)
        rows.append(json.loads(told.stdout))
        print("  ".join(f"{key} {value:g}" for key, value in rows[-1].items()))
    results = {
        "question": "Does the memory store stay within its byte bound, and does it stay fast when it is full?",
        "entries_written": ENTRIES,
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "stores": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory_store.json").write_text(json.dumps(results, indent=2).replace("NaN", "null") + "\n", "utf-8")


if __name__ == "__main__":
    main()
