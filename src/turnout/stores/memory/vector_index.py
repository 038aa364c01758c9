"""Vectors by key: compared with each while few, in a graph of neighbours once there are many.

The graph is usearch's. Adding to it takes a millisecond at 100,000 vectors, so one thread does it; a vector is compared
directly until that thread has added it. A look-up takes a fifth of that: it is made at once where the thread is not at
work in the graph, which is not made for two, else by the thread in its turn. What is found are candidates:
the store knows which of them it still holds, and scores them by their own vectors.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from turnout.stores.memory.split_dict import SplitDict

log = logging.getLogger("turnout")

T = TypeVar("T")

# Vectors of one array, at first and at most. A full one is not copied: 100 MB would hold the event loop for 30 ms, and
# one list of 100,000 keys for 10.
_ROOM, _BLOCK = 16, 1024
# Numbers compared in one turn of the event loop: a tenth of a millisecond, a half where the machine's other processes
# use its memory. A search in the graph may follow in that turn.
_IN_A_TURN = 400_000
# Numbers compared on the event loop, in several turns: 10,000 vectors of 256. More are compared by the thread, which
# beside a busy loop waits up to 5 ms for the interpreter's lock, again and again.
MOST_ON_LOOP = 2_560_000
# Removals between two adds.
_AT_ONCE = 64
# Vectors that change place at one add or look-up, in a fifth of a millisecond.
_MOVED = 16


def load_graphs() -> bool:
    """Whether the package is there that graphs are made of; imported now, for it takes a tenth of a second."""
    try:
        import usearch.index  # noqa: F401
    except ImportError:
        return False
    return True


class IndexThread:
    """One thread, begun when it is first needed: in order, what event loops hand it. After a fork, another one."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0
        self.closed = False

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        if self._executor is None or self._pid != os.getpid():
            self._executor, self._pid = ThreadPoolExecutor(1, "turnout.semantic.index"), os.getpid()
        return self._executor.submit(function, *arguments)

    def close(self) -> None:
        """Ends the thread. What graphs have not added by then is compared directly for ever."""
        executor, self._executor, self.closed = self._executor, None, True
        if executor is not None and self._pid == os.getpid():
            executor.shutdown(wait=False)


class VectorIndex:
    """Compares with each of its vectors. Not for several threads."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._blocks: list[Any] = []
        # As in the arrays.
        self._keys: list[list[bytes]] = []
        self._places: SplitDict[bytes, int] = SplitDict()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    @property
    def numbers(self) -> int:
        """How many are compared for one question."""
        return len(self) * self._dimensions

    @property
    def parts(self) -> list[dict[bytes, int]]:
        """Of where the keys lie."""
        return self._places.parts

    @property
    def keys(self) -> list[bytes]:
        return [key for block in self._keys for key in block]

    def vector(self, key: bytes) -> bytes:
        """Of a key that is here."""
        row: bytes = self._row(self._places[key]).tobytes()
        return row

    def add(self, key: bytes, vector: bytes) -> None:
        """Puts the vector in place of the key's last one."""
        self.remove(key)
        place = len(self)
        self._make_room(place)
        self._row(place)[:] = np.frombuffer(vector, dtype="<f4")
        if place % _BLOCK == 0:
            self._keys.append([])
        self._keys[-1].append(key)
        self._places[key] = place

    def remove(self, key: bytes) -> None:
        place = self._places.pop(key)
        if place is None:
            return
        last = self._keys[-1].pop()
        if not self._keys[-1]:
            self._keys.pop()
        if last != key:
            # `len`, without the key already, is where the last one lies.
            self._row(place)[:] = self._row(len(self))
            self._keys[place // _BLOCK][place % _BLOCK] = last
            self._places[last] = place
        if len(self._blocks) * _BLOCK >= len(self) + 2 * _BLOCK:
            self._blocks.pop()

    def _make_room(self, place: int) -> None:
        if place == 0:
            self._blocks = [np.empty((_ROOM, self._dimensions), dtype=np.float32)]
        elif place == len(self._blocks) * _BLOCK:
            self._blocks.append(np.empty((_BLOCK, self._dimensions), dtype=np.float32))
        elif place == len(self._blocks[0]) < _BLOCK:
            self._blocks = [np.concatenate([self._blocks[0], np.empty_like(self._blocks[0])])]

    def _row(self, place: int) -> Any:
        return self._blocks[place // _BLOCK][place % _BLOCK]

    def snapshot(self) -> tuple[list[Any], list[list[bytes]], int]:
        """What `candidates` reads in a thread or in turns. A vector that is moved meanwhile may be missed or scored
        wrongly."""
        return list(self._blocks), list(self._keys), len(self)


def _compare(blocks: list[Any], start: int, vector: bytes, similarities: Any) -> None:
    """Those of the block that begins there."""
    part = similarities[start : start + _BLOCK]
    # Not `@`: BLAS would divide so small a product among threads, and wait for each of them on a busy machine.
    np.einsum("ij,j->i", blocks[start // _BLOCK][: len(part)], np.frombuffer(vector, dtype="<f4"), out=part)


def _best(keys: list[list[bytes]], similarities: Any, count: int) -> list[bytes]:
    """The keys of the largest, the largest first."""
    if count < len(similarities):
        best = np.argpartition(-similarities, count - 1)[:count]
    else:
        best = np.arange(len(similarities))
    ordered = best[np.argsort(-similarities[best], kind="stable")]
    found = []
    for place in map(int, ordered):
        block = keys[place // _BLOCK]
        # Shorter where some were removed meanwhile.
        if place % _BLOCK < len(block):
            found.append(block[place % _BLOCK])
    return found


def candidates(blocks: list[Any], keys: list[list[bytes]], size: int, vector: bytes, count: int) -> list[bytes]:
    """The keys of the most similar of these vectors, the nearest first."""
    similarities = np.empty(size, dtype=np.float32)
    for start in range(0, size, _BLOCK):
        _compare(blocks, start, vector, similarities)
    return _best(keys, similarities, count)


async def candidates_in_turns(
    blocks: list[Any], keys: list[list[bytes]], size: int, vector: bytes, count: int
) -> list[bytes]:
    """The same, in as many turns of the event loop as it takes."""
    similarities, compared = np.empty(size, dtype=np.float32), 0
    for start in range(0, size, _BLOCK):
        numbers = min(_BLOCK, size - start) * len(vector) // 4
        if compared and compared + numbers > _IN_A_TURN:
            compared = 0
            await asyncio.sleep(0)
        _compare(blocks, start, vector, similarities)
        compared += numbers
    return _best(keys, similarities, count)


def _free(held: list[list[Any]]) -> None:
    """Part by part: between any two of them others have the interpreter's lock."""
    while held:
        while held[-1]:
            held[-1].pop()
        held.pop()


class GraphIndex:
    """usearch's graph. What is handed to `add` and `remove` is done in order by the thread, look-ups in between."""

    def __init__(self, dimensions: int, thread: IndexThread) -> None:
        from usearch.index import Index

        self._thread = thread
        # Half precision: a third of the memory less, and whoever is found is scored anew. usearch's own expansion, 128,
        # makes an add take twice the time, for .5 % more of the nearest found among 100,000.
        # A look-up's, 64, takes a third to two thirds more time and finds no more of them.
        self._index = Index(ndim=dimensions, metric="ip", dtype="f16", expansion_add=64, expansion_search=48)
        self._work: deque[tuple[int, bytes | None]] = deque()
        self._added: deque[int] = deque()
        self._lock = threading.Lock()
        self._busy = False
        # Whoever is at work in the graph.
        self._inside = threading.Lock()

    @property
    def waiting(self) -> int:
        """What is not done yet."""
        return len(self._work)

    def add(self, label: int, vector: bytes) -> None:
        """label: not used before."""
        self._hand_over(label, vector)

    def remove(self, label: int) -> None:
        self._hand_over(label, None)

    def take_added(self) -> list[int]:
        """Some of the labels that were added since the last call."""
        return [self._added.popleft() for _ in range(min(_MOVED, len(self._added)))]

    async def search(self, vector: bytes, count: int) -> list[int]:
        """The labels of the most similar vectors."""
        if self._inside.acquire(blocking=False):
            try:
                return self._search(vector, count)
            finally:
                self._inside.release()
        return await asyncio.wrap_future(self._thread.submit(self._search_in_turn, vector, count))

    def _search_in_turn(self, vector: bytes, count: int) -> list[int]:
        with self._inside:
            return self._search(vector, count)

    def _search(self, vector: bytes, count: int) -> list[int]:
        if not len(self._index):
            return []
        matches = self._index.search(np.frombuffer(vector, dtype="<f4"), count, threads=1)
        return [int(label) for label in matches.keys]

    def _hand_over(self, label: int, vector: bytes | None) -> None:
        self._work.append((label, vector))
        with self._lock:
            if self._busy:
                return
            self._busy = True
        self._thread.submit(self._do_some)

    def _do_some(self) -> None:
        """One add, or some removals; then the thread looks after whoever came meanwhile."""
        for _ in range(_AT_ONCE):
            label, vector = self._work[0]
            try:
                with self._inside:
                    if vector is None:
                        self._index.remove(label, threads=1)
                    else:
                        self._index.add(label, np.frombuffer(vector, dtype="<f4"), threads=1)
                        self._added.append(label)
            except Exception:
                # One question less is found; the thread goes on.
                log.exception("the graph of similar questions could not be changed")
            # Only now: a look-up asks for as many more as may be in the graph and removed already.
            self._work.popleft()
            with self._lock:
                self._busy = bool(self._work)
            if not self._busy:
                return
            if vector is not None:
                break
        if not self._thread.closed:
            self._thread.submit(self._do_some)


class GrowingIndex:
    """The vectors of one scope: compared with each up to `graph_above`, where there are more a graph of them is made.
    None: never."""

    def __init__(self, dimensions: int, thread: IndexThread, graph_above: int | None) -> None:
        self.dimensions = dimensions
        self._thread = thread
        self._graph_above = graph_above
        self._direct = VectorIndex(dimensions)
        self._graph: GraphIndex | None = None
        # What stood here before the graph was made, and is not yet handed to it.
        self._earlier: list[bytes] = []
        # Of what was handed to it. A label is never used twice.
        self._labels: SplitDict[bytes, int] = SplitDict()
        self._keys: SplitDict[int, bytes] = SplitDict()
        self._last_label = 0

    def add(self, key: bytes, vector: bytes) -> None:
        """Puts the vector in place of the key's last one."""
        self.remove(key)
        self._direct.add(key, vector)
        if self._graph is None and self._graph_above is not None and len(self._direct) > self._graph_above:
            self._graph, self._earlier = GraphIndex(self.dimensions, self._thread), self._direct.keys
        elif self._graph is not None:
            self._hand_over(self._graph, key, vector)
            self._tend(self._graph)

    def remove(self, key: bytes) -> None:
        self._direct.remove(key)
        label = self._labels.pop(key)
        if label is not None and self._graph is not None:
            self._keys.pop(label)
            self._graph.remove(label)

    def discard(self) -> None:
        """Lets the thread give the memory back, which takes milliseconds. Nothing is added after; look-ups that are
        under way find nothing more."""
        graph, self._graph = self._graph, None
        if graph is not None and not self._thread.closed:
            held: list[list[Any]] = [[graph], self._labels.parts, self._keys.parts, self._direct.parts]
            # Those look-ups still read them.
            self._labels, self._keys, self._direct = SplitDict(), SplitDict(), VectorIndex(self.dimensions)
            self._earlier = []
            self._thread.submit(_free, held)

    async def candidates(self, vector: bytes, count: int) -> list[bytes]:
        """The keys of the most similar vectors, each once, in no order. Some may have been removed meanwhile."""
        graph, direct = self._graph, self._direct
        # What the graph adds from now on is found here too: it is looked at before the graph is.
        if direct.numbers <= MOST_ON_LOOP:
            keys = await candidates_in_turns(*direct.snapshot(), vector, count)
        else:
            keys = await asyncio.wrap_future(self._thread.submit(candidates, *direct.snapshot(), vector, count))
        found: dict[bytes, None] = dict.fromkeys(keys)
        if graph is not None:
            self._tend(graph)
            # Of those that are found some may wait for their removal.
            labels = await graph.search(vector, count + min(_AT_ONCE, graph.waiting))
            found.update((self._keys[label], None) for label in labels if label in self._keys)
        return list(found)

    def _hand_over(self, graph: GraphIndex, key: bytes, vector: bytes) -> None:
        self._last_label += 1
        self._labels[key], self._keys[self._last_label] = self._last_label, key
        graph.add(self._last_label, vector)

    def _tend(self, graph: GraphIndex) -> None:
        """Moves some vectors on: into the graph's hands, and out of the direct comparison once the graph has them."""
        for key in self._earlier[-_MOVED:]:
            if key in self._direct and key not in self._labels:
                self._hand_over(graph, key, self._direct.vector(key))
        del self._earlier[-_MOVED:]
        for label in graph.take_added():
            if label in self._keys:
                self._direct.remove(self._keys[label])
