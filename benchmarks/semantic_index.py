"""How long does a look-up among 100,000 questions take, what does an entry cost, and for how long is the loop held?

    python benchmarks/semantic_index.py [--count N] [--json]

Questions are made up by rules, embedded by wordllama, and added to the store of one scope, then looked up, every
twentieth one replaced, a half purged, at last all of them, while a second task turns the event loop as fast as it can.
The turns tell for how long the loop was held: `held` in the loop's own CPU time, which is what the index did there;
`gap` by the clock, which holds what else the machine did too, and what the index's thread did with the interpreter's
lock. Python's garbage collector is off meanwhile: what it takes is no part of these figures. `recall` is the share of
the 8 nearest that an exact comparison finds too. Memory: what the process grew by. One process, one run; on a busy
machine times are too long.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil

from turnout.caching.semantic.embedders import WordllamaEmbedder
from turnout.ports.semantic import SemanticEntry
from turnout.stores.memory.semantic_store import MemorySemanticStore

VERBS = (
    "renew",
    "cancel",
    "find",
    "print",
    "share",
    "export",
    "delete",
    "rename",
    "translate",
    "sort",
    "merge",
    "send",
)
WHAT = ("passport", "invoice", "ticket", "contract", "report", "badge", "file", "photo", "table", "chart", "account")
WHERE = ("in the app", "on the phone", "at the office", "from abroad", "without a password", "for a friend", "by post")
SCOPE = b"s" * 16
LOOKUPS = 1000


def question(number: int, rng: Any) -> str:
    words = [rng.choice(each) for each in (VERBS, WHAT, WHERE)]
    return f"How do I {words[0]} my {words[1]} {words[2]} of department {rng.integers(9999)}, case {number}?"


def entry(number: int, vector: bytes) -> SemanticEntry:
    return SemanticEntry(
        key=number.to_bytes(16, "big"),
        scope=SCOPE,
        question=f"question {number}",
        vector=vector,
        fresh_until=9e9,
        user=f"user{number % 2}",
    )


class Turns:
    """Turns of the event loop: the longest in its own CPU time and by the clock, in milliseconds."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._turns = self._held_max = self._gap_max = self._held_long = self._gap_long = 0

    async def run(self) -> None:
        cpu, clock = time.thread_time_ns(), time.perf_counter_ns()
        while True:
            await asyncio.sleep(0)
            now_cpu, now = time.thread_time_ns(), time.perf_counter_ns()
            held, gap = now_cpu - cpu, now - clock
            self._turns += 1
            self._held_max, self._gap_max = max(self._held_max, held), max(self._gap_max, gap)
            self._held_long += held > 2_000_000
            self._gap_long += gap > 2_000_000
            cpu, clock = now_cpu, now

    def figures(self) -> dict[str, Any]:
        """Of the turns since the last call."""
        figures = {
            "turns": self._turns,
            "held_ms_max": round(self._held_max / 1e6, 3),
            "held_over_2ms": self._held_long,
            "gap_ms_max": round(self._gap_max / 1e6, 3),
            "gap_over_2ms": self._gap_long,
        }
        self._begin()
        return figures


async def lookups(store: MemorySemanticStore, vectors: Sequence[bytes]) -> tuple[list[float], list[list[bytes]]]:
    times, found = [], []
    for vector in vectors:
        began = time.perf_counter()
        neighbours = await store.nearest(SCOPE, vector, 8, 0.0)
        times.append((time.perf_counter() - began) * 1e6)
        found.append([neighbour.entry.key for neighbour in neighbours])
    return times, found


def recall(vectors: Any, keys: Sequence[int], asked: Sequence[bytes], found: Sequence[Sequence[bytes]]) -> float:
    hits = 0
    for vector, got in zip(asked[:200], found, strict=False):
        similarities = vectors[list(keys)] @ np.frombuffer(vector, dtype="<f4")
        floor = np.partition(similarities, -8)[-8] - 1e-5
        hits += sum(
            float(vectors[int.from_bytes(key, "big")] @ np.frombuffer(vector, dtype="<f4")) >= floor for key in got
        )
    return hits / (8 * len(asked[:200]))


async def measure(count: int) -> dict[str, Any]:
    rng, embedder = np.random.default_rng(1), WordllamaEmbedder()
    texts = [question(number, rng) for number in range(count)]
    vectors = np.concatenate([embedder.embed_all(texts[at : at + 1000]) for at in range(0, count, 1000)]).astype("<f4")
    reworded = [text.replace("How do I", "how can I") for text in rng.choice(texts, LOOKUPS)]
    times, asked = [], []
    for text in reworded:
        began = time.perf_counter()
        asked.append(await embedder.embed(text))
        times.append((time.perf_counter() - began) * 1e6)
    embed_us = float(np.median(times))

    turns = Turns()
    turning = asyncio.create_task(turns.run())
    await asyncio.sleep(0.5)
    empty = turns.figures()
    store = MemorySemanticStore(max_entries=2 * count)
    gc.collect()
    gc.disable()
    await asyncio.sleep(0.1)
    turns.figures()
    resident = psutil.Process().memory_info().rss
    phases: dict[str, Any] = {"empty": empty}
    for number in range(count):
        await store.add(entry(number, vectors[number].tobytes()))
        await asyncio.sleep(0)
        if number % 500 == 0:
            await lookups(store, asked[:1])
    phases["add"] = turns.figures()
    index = store._scopes[SCOPE, len(asked[0])]
    began = time.perf_counter()
    while len(index._direct) > count // 100 and index._graph is not None:
        await lookups(store, asked[:1])
        await asyncio.sleep(0.005)
    built_s = time.perf_counter() - began
    phases["build"] = turns.figures()
    turning.cancel()
    took, found = await lookups(store, asked)
    full_recall = recall(vectors, range(count), asked, found)
    turning = asyncio.create_task(turns.run())
    await lookups(store, asked)
    phases["look_up"] = turns.figures()
    grown = psutil.Process().memory_info().rss - resident
    graph_bytes = index._graph._index.memory_usage if index._graph is not None else 0
    for number in range(0, count, 20):
        await store.add(entry(number, vectors[number].tobytes()))
        await asyncio.sleep(0)
    phases["replace"] = turns.figures()
    await store.purge(user="user0")
    phases["purge"] = turns.figures()
    turning.cancel()
    gc.enable()
    while index._graph is not None and index._graph.waiting:
        await lookups(store, asked[:1])
    _, found = await lookups(store, asked)
    gc.disable()
    turning = asyncio.create_task(turns.run())
    del index
    await store.purge()
    await asyncio.sleep(0.2)
    phases["drop"] = turns.figures()
    turning.cancel()
    figures = {
        "count": count,
        "embed_us_p50": round(embed_us, 1),
        "lookup_us_p50": round(float(np.median(took)), 1),
        "lookup_us_p99": round(float(np.quantile(took, 0.99)), 1),
        "ratio": round(float(np.median(took)) / embed_us, 2),
        "recall": round(full_recall, 4),
        "recall_after_churn": round(recall(vectors, range(1, count, 2), asked, found), 4),
        "bytes_an_entry": round(grown / count),
        "graph_mib": round(graph_bytes / 2**20, 1),
        "built_s": round(built_s, 1),
        "loop": phases,
    }
    await store.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="questions")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    figures = asyncio.run(measure(args.count))
    if args.json:
        print(json.dumps(figures))
        return
    loop = figures.pop("loop")
    for name, value in figures.items():
        print(f"{name:<20} {value}")
    for phase, held in loop.items():
        print(f"loop, {phase:<14} " + ", ".join(f"{name} {value}" for name, value in held.items()))


if __name__ == "__main__":
    main()
