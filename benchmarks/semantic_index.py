"""How long does a look-up among 100,000 questions take, what does an entry cost, and for how long is the loop held?

    python benchmarks/semantic_index.py [--count N] [--runs N] [--json]

Questions are made up by rules, embedded by wordllama, and added to the store of one scope, then looked up, every
twentieth one replaced, a half purged, at last all of them, while a second task turns the event loop as fast as it can.
The turns tell for how long the loop was held: `held` in the loop's own CPU time, which is what the index did there;
`gap` by the clock, which holds what else the machine did too, and what the index's thread did with the interpreter's
lock. A virtual machine books to CPU time what its host took away, so two controls say what the machine does by itself:
`control` turns the loop with half a millisecond's sum at each turn and no index, `control_thread` beside a thread that
hashes bytes for as long as an add to the graph takes, without the interpreter's lock. And there are two runs: what the
index does, it does again at the same step, so `held_again` is the longest turn of a step (an add, a look-up, a removal)
in that run which was the quicker one there. Python's garbage collector is off meanwhile: what it takes is no part of
these figures. `recall` is the share of the 8 nearest that an exact comparison finds too. Memory: what the process
grew by. Times of look-ups and embeddings are told by the clock and in the loop's CPU time (`_cpu_`), which a busy
machine disturbs less. The graph is built once, mostly while questions are added: `built_s` is what is left after that,
`graph_cpu_s` all CPU time of the index's thread. A whole graph is dropped by that thread, which holds the interpreter's
lock meanwhile: `gap`, not `held`. One process; all but `held_again` is of the first run.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
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
# Of the controls: numbers that are summed up at a turn, and bytes that the thread hashes at once: .5 ms each.
CONTROL_S, WORK, HASHED = 4.0, 16_000, 200_000


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
    """Turns of the event loop: the longest in its own CPU time and by the clock, in milliseconds. step: what the loop
    is at; where nobody says, the turns are counted."""

    def __init__(self) -> None:
        self.pause_s = 0.0
        self._begin()

    def _begin(self) -> None:
        self._turns = self._held_max = self._gap_max = self._held_long = self._gap_long = 0
        self.step: int | None = None
        self.longest: dict[int, int] = {}

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
            if held > 200_000:
                step = self._turns if self.step is None else self.step
                self.longest[step] = max(held, self.longest.get(step, 0))
            cpu, clock = now_cpu, now

    def figures(self) -> dict[str, Any]:
        """Of the turns since the last call."""
        figures = {
            "turns": self._turns,
            "held_ms_max": round(self._held_max / 1e6, 3),
            "held_over_2ms": self._held_long,
            "gap_ms_max": round(self._gap_max / 1e6, 3),
            "gap_over_2ms": self._gap_long,
            "longest": self.longest,
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


async def control(turns: Turns) -> dict[str, Any]:
    """What the machine does by itself: work without an index, then beside another thread."""
    turning = asyncio.create_task(turns.run())
    phases = {}
    for name, beside in (("control", time.sleep), ("control_thread", _hash_for)):
        beside_it = asyncio.create_task(asyncio.to_thread(beside, CONTROL_S))
        await asyncio.sleep(0)
        turns.figures()
        while not beside_it.done():
            sum(range(WORK))
            await asyncio.sleep(0)
        phases[name] = turns.figures()
    turning.cancel()
    return phases


def _hash_for(seconds: float) -> None:
    data, end = bytes(HASHED), time.perf_counter() + seconds
    while time.perf_counter() < end:
        hashlib.sha256(data).digest()


class Questions:
    """Of one run of everything: their vectors, and those of other wordings that are looked up."""

    def __init__(self, count: int, embedder: WordllamaEmbedder, rng: Any) -> None:
        texts = [question(number, rng) for number in range(count)]
        parts = [embedder.embed_all(texts[at : at + 1000]) for at in range(0, count, 1000)]
        self.vectors = np.concatenate(parts).astype("<f4")
        self.reworded = [text.replace("How do I", "how can I") for text in rng.choice(texts, LOOKUPS)]
        self.embedding = Times()
        self.asked: list[bytes] = []

    async def embed_reworded(self, embedder: WordllamaEmbedder) -> None:
        for text in self.reworded:
            with self.embedding:
                self.asked.append(await embedder.embed(text))


async def fill(store: MemorySemanticStore, turns: Turns, questions: Questions) -> tuple[dict[str, Any], float, float]:
    """Adds all of them, and waits until the graph holds them: the figures of both, and what is built after the adds."""
    asked, phases = questions.asked, {}
    for number in range(len(questions.vectors)):
        turns.step = number
        await store.add(entry(number, questions.vectors[number].tobytes()))
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
    phases["build"] = turns.figures()
    return phases, built_s, store._thread.submit(time.thread_time).result()


async def churn(store: MemorySemanticStore, turns: Turns, questions: Questions) -> dict[str, Any]:
    """Replaces every twentieth, then purges a half."""
    phases = {}
    for number in range(0, len(questions.vectors), 20):
        turns.step = number
        await store.add(entry(number, questions.vectors[number].tobytes()))
        await asyncio.sleep(0)
    phases["replace"] = turns.figures()
    await store.purge(user="user0")
    phases["purge"] = turns.figures()
    return phases


async def run_once(questions: Questions) -> dict[str, Any]:
    count, vectors, asked = len(questions.vectors), questions.vectors, questions.asked
    turns = Turns()
    phases: dict[str, Any] = await control(turns)
    store = MemorySemanticStore(max_entries=2 * count)
    gc.collect()
    gc.disable()
    resident = psutil.Process().memory_info().rss
    turning = asyncio.create_task(turns.run())
    await asyncio.sleep(0.1)
    turns.figures()
    filled, built_s, graph_cpu_s = await fill(store, turns, questions)
    phases |= filled
    turning.cancel()
    took, found = await lookups(store, asked)
    full_recall = recall(vectors, range(count), asked, found)
    turning = asyncio.create_task(turns.run())
    await lookups(store, asked)
    phases["look_up"] = turns.figures()
    grown = psutil.Process().memory_info().rss - resident
    graph = store._scopes[SCOPE, len(asked[0])]._graph
    graph_bytes = graph._index.memory_usage if graph is not None else 0
    # What was done here is no part of the next phase.
    await asyncio.sleep(0)
    turns.figures()
    phases |= await churn(store, turns, questions)
    turning.cancel()
    gc.enable()
    while graph is not None and graph.waiting:
        await lookups(store, asked[:10])
    del graph
    _, found = await lookups(store, asked)
    gc.disable()
    turning = asyncio.create_task(turns.run())
    await store.purge()
    await asyncio.sleep(0.2)
    phases["drop"] = turns.figures()
    turning.cancel()
    gc.enable()
    await store.close()
    embedding = questions.embedding
    return {
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


async def measure(count: int, runs: int) -> dict[str, Any]:
    embedder, rng = WordllamaEmbedder(), np.random.default_rng(1)
    questions = Questions(count, embedder, rng)
    await questions.embed_reworded(embedder)
    first, *others = [await run_once(questions) for _ in range(runs)]
    for phase, figures in first["loop"].items():
        longest = [run["loop"][phase].pop("longest") for run in (first, *others)]
        steps = set(longest[0]).intersection(*longest[1:])
        again = max((min(each[step] for each in longest) for step in steps), default=0)
        figures["held_again_ms_max"] = round(again / 1e6, 3)
    return {"runs": runs, **first}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="questions")
    parser.add_argument("--runs", type=int, default=2, help="of everything but the embedding")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    figures = asyncio.run(measure(args.count, args.runs))
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
