"""How long does a look-up among 100,000 questions take, what does an entry cost, and for how long is the loop held?

    python benchmarks/semantic_index.py [--count N] [--json]

Questions are made up by rules, embedded by wordllama, and added to the store of one scope, then looked up, every
twentieth one replaced, a half purged, at last all of them, while a second task turns the event loop as fast as it can.
The turns tell for how long the loop was held: `held` in the loop's own CPU time, which is what the index did there;
`gap` by the clock, which holds what else the machine did too, and what the index's thread did with the interpreter's
lock. Python's garbage collector is off meanwhile: what it takes is no part of these figures. `recall` is the share of
the 8 nearest that an exact comparison finds too. Memory: what the process grew by. Times of look-ups and embeddings are
told by the clock and in the loop's CPU time (`_cpu_`), which a busy machine disturbs less. The graph is built once,
mostly while questions are added: `built_s` is what is left after that, `graph_cpu_s` all CPU time of the index's
thread. A whole graph is dropped by that thread, which holds the interpreter's lock meanwhile: `gap`, not `held`. One
process, one run.
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
# Between two turns of the loop while the graph is built: its thread is to have a core.
BUILD_PAUSE_S = 0.002


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
        self.pause_s = 0.0
        self._begin()

    def _begin(self) -> None:
        self._turns = self._held_max = self._gap_max = self._held_long = self._gap_long = 0

    async def run(self) -> None:
        cpu, clock = time.thread_time_ns(), time.perf_counter_ns()
        while True:
            await asyncio.sleep(self.pause_s)
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


class Times:
    """Of one action, again and again: by the clock and in this thread's CPU time, in microseconds."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.cpu: list[float] = []

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.clock.append((time.perf_counter() - self._began[0]) * 1e6)
        self.cpu.append((time.thread_time() - self._began[1]) * 1e6)


async def lookups(store: MemorySemanticStore, vectors: Sequence[bytes]) -> tuple[Times, list[list[bytes]]]:
    times, found = Times(), []
    for vector in vectors:
        with times:
            neighbours = await store.nearest(SCOPE, vector, 8, 0.0)
        found.append([neighbour.entry.key for neighbour in neighbours])
        await asyncio.sleep(0)
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


def quantile(times: Sequence[float], share: float) -> float:
    return round(float(np.quantile(times, share)), 1)


async def measure(count: int) -> dict[str, Any]:
    rng, embedder = np.random.default_rng(1), WordllamaEmbedder()
    texts = [question(number, rng) for number in range(count)]
    vectors = np.concatenate([embedder.embed_all(texts[at : at + 1000]) for at in range(0, count, 1000)]).astype("<f4")
    reworded = [text.replace("How do I", "how can I") for text in rng.choice(texts, LOOKUPS)]
    embedding, asked = Times(), []
    for text in reworded:
        with embedding:
            asked.append(await embedder.embed(text))

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
        if number % 2000 == 0:
            await lookups(store, asked[:1])
    phases["add"] = turns.figures()
    index = store._scopes[SCOPE, len(asked[0])]
    began, turns.pause_s, step = time.perf_counter(), BUILD_PAUSE_S, 0
    while index._graph is not None and len(index._direct):
        # As an add does it, without the look-up: that one compares with all that the graph does not hold yet.
        index._tend(index._graph)
        step += 1
        if step % 500 == 0:
            await lookups(store, asked[:1])
        await asyncio.sleep(BUILD_PAUSE_S)
    built_s, turns.pause_s = time.perf_counter() - began, 0.0
    graph_cpu_s = store._thread.submit(time.thread_time).result()
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
        await lookups(store, asked[:10])
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
        "embed_us_p50": quantile(embedding.clock, 0.5),
        "embed_cpu_us_p50": quantile(embedding.cpu, 0.5),
        "lookup_us_p50": quantile(took.clock, 0.5),
        "lookup_us_p99": quantile(took.clock, 0.99),
        "lookup_cpu_us_p50": quantile(took.cpu, 0.5),
        "ratio": round(quantile(took.clock, 0.5) / quantile(embedding.clock, 0.5), 2),
        "cpu_ratio": round(quantile(took.cpu, 0.5) / quantile(embedding.cpu, 0.5), 2),
        "recall": round(full_recall, 4),
        "recall_after_churn": round(recall(vectors, range(1, count, 2), asked, found), 4),
        "bytes_an_entry": round(grown / count),
        "graph_mib": round(graph_bytes / 2**20, 1),
        "built_s": round(built_s, 1),
        "graph_cpu_s": round(graph_cpu_s, 1),
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
