"""The index of a scope: with a graph of neighbours and without one it finds the same, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.exact_index import ExactIndex
from turnout.install_line import install_line
from turnout.ports.semantic import SemanticEntry
from turnout.stores.memory import vector_index
from turnout.stores.memory.semantic_store import MemorySemanticStore
from turnout.stores.memory.vector_index import GrowingIndex, IndexThread, VectorIndex, candidates

ROWS = np.random.default_rng(5).normal(size=(400, 8)).astype("<f4")
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
KEYS = st.integers(0, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.integers(0, 8)),
        st.tuples(st.just("remove"), KEYS, st.just(0)),
        st.tuples(st.just("purge"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("later"), st.integers(1, 5), st.just(0)),
    ),
    min_size=20,
    max_size=120,
)


def entry(number: int, row: int, now: float, scope: bytes = b"s") -> SemanticEntry:
    return SemanticEntry(
        key=number.to_bytes(16, "big"),
        scope=scope,
        question=f"q{number}",
        vector=ROWS[row].tobytes(),
        fresh_until=now + 20,
        user=f"user{number % 4}",
    )


async def found(store: MemorySemanticStore, row: int, now: float, count: int = 5) -> list[tuple[bytes, float]]:
    neighbours = await store.nearest(b"s", ROWS[row].tobytes(), count, now)
    return [(neighbour.entry.key, round(neighbour.similarity, 5)) for neighbour in neighbours]


async def _agree(steps: list[tuple[str, int, int]]) -> None:
    plain = MemorySemanticStore(max_entries=25, graphs=False)
    graph = MemorySemanticStore(max_entries=25, graph_above=4, graphs=True)
    now = 0.0
    for place, (what, number, row) in enumerate(steps):
        for store in (plain, graph):
            match what:
                case "add":
                    # A vector of its own: of two alike either may come first.
                    await store.add(entry(number, 9 * number + row, now))
                case "remove":
                    await store.remove(number.to_bytes(16, "big"))
                case "purge":
                    await store.purge(user=f"user{number}")
        now += number if what == "later" else 0
        asked = (place * 7) % 400
        assert await found(plain, asked, now) == await found(graph, asked, now)
        assert plain.entries == graph.entries
    await graph.close()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_graph_finds_what_a_comparison_with_each_finds(steps: list[tuple[str, int, int]]) -> None:
    """Through adds, replacements, removals, purges, expiry and eviction, while the thread is still at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usearch.index.Index", ExactIndex)
        asyncio.run(_agree(steps))


def test_a_graph_finds_nearly_all_that_took_the_place_of_what_was_removed() -> None:
    """usearch's own, whose links to a removed vector lead to the next one: 20 times as many replaced as are held."""

    async def scenario() -> None:
        rng = np.random.default_rng(2)
        store = MemorySemanticStore(max_entries=200, graph_above=20, graphs=True)
        for step in range(4000):
            await store.add(entry(int(rng.integers(200)), step % 400, 0.0))
        (scope,) = store._scopes.values()
        while len(scope._direct):
            await found(store, 0, 0.0)
        rows = {each.key: each.vector for each in store.entries}
        missed = 0
        for vector in rows.values():
            (best, *_) = await store.nearest(b"s", vector, 5, 0.0)
            missed += best.entry.vector != vector
        assert missed <= 0.02 * len(rows), f"{missed} of {len(rows)}"
        await store.close()

    asyncio.run(scenario())


def test_a_graph_holds_what_it_was_given_and_forgets_what_was_removed() -> None:
    """Once its thread is done nothing is compared directly any more, and each vector finds itself."""

    async def scenario() -> None:
        store = MemorySemanticStore(max_entries=1000, graph_above=20, graphs=True)
        for number in range(300):
            await store.add(entry(number, number, 0.0))
        for number in range(0, 300, 3):
            await store.remove(number.to_bytes(16, "big"))
        (scope,) = store._scopes.values()
        while len(scope._direct):
            await found(store, 0, 0.0)
        assert scope._graph is not None
        while scope._graph.waiting:
            await found(store, 0, 0.0)
        assert len(scope._graph._index) == len(store) == 200
        for number in range(300):
            (best, *_) = await found(store, number, 0.0)
            assert (best == (number.to_bytes(16, "big"), 1.0)) == (number % 3 != 0)
        await store.close()

    asyncio.run(scenario())


class Watched:
    """A graph's index that notes who is inside."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self._inside = 0
        self.most_inside = 0
        self.threads: dict[str, set[int]] = {"add": set(), "remove": set(), "search": set()}

    def __len__(self) -> int:
        return len(self._index)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.threads[name].add(threading.get_ident())
            self._inside += 1
            self.most_inside = max(self.most_inside, self._inside)
            try:
                return getattr(self._index, name)(*arguments, **options)
            finally:
                self._inside -= 1

        return call


def test_nobody_is_in_a_graph_beside_another_and_only_look_ups_on_the_event_loop() -> None:
    """One thread adds and removes; who looks up while it does waits for it without holding the loop."""

    async def scenario() -> None:
        store = MemorySemanticStore(max_entries=400, graph_above=5, graphs=True)
        watched: Watched | None = None
        for number in range(600):
            await store.add(entry(number % 500, number % 200, 0.0))
            (scope,) = store._scopes.values()
            if watched is None and scope._graph is not None:
                watched = scope._graph._index = Watched(scope._graph._index)
            await found(store, number % 200, 0.0)
        await store.purge()
        await store.close()
        assert watched is not None
        assert watched.most_inside == 1
        assert len(watched.threads["add"] | watched.threads["remove"]) == 1
        assert threading.get_ident() not in watched.threads["add"] | watched.threads["remove"]

    asyncio.run(scenario())


async def with_graph() -> MemorySemanticStore:
    """A store of one scope of 50 questions, which has a graph."""
    store = MemorySemanticStore(max_entries=400, graph_above=5, graphs=True)
    for number in range(50):
        await store.add(entry(number, number, 0.0))
    return store


def test_a_look_up_waits_for_no_thread_but_one_that_is_in_the_graph() -> None:
    """Where the index's thread does something else it answers at once."""

    async def scenario() -> None:
        store = await with_graph()
        (scope,) = store._scopes.values()
        assert scope._graph is not None
        while scope._graph.waiting or len(scope._direct):
            await found(store, 0, 0.0)
        go = threading.Event()
        blocking = store._thread.submit(go.wait)
        assert (await found(store, 7, 0.0))[0] == ((7).to_bytes(16, "big"), 1.0)
        assert not blocking.done()
        with scope._graph._inside:
            looking = asyncio.ensure_future(found(store, 8, 0.0))
            await asyncio.sleep(0)
            go.set()
            await asyncio.wrap_future(blocking)
            assert not looking.done()
        assert (await looking)[0] == ((8).to_bytes(16, "big"), 1.0)
        await store.close()

    asyncio.run(scenario())


def test_the_graph_of_an_emptied_scope_is_freed_by_the_thread() -> None:
    """That takes milliseconds: the event loop lets go of it, and the thread has the last hold."""

    async def scenario() -> None:
        store = await with_graph()
        (scope,) = store._scopes.values()
        assert scope._graph is not None
        freed_by = list[int]()
        weakref.finalize(scope._graph, lambda: freed_by.append(threading.get_ident()))
        while scope._graph.waiting or len(scope._direct):
            await found(store, 0, 0.0)
        scope.discard()
        thread = await asyncio.wrap_future(store._thread.submit(threading.get_ident))
        while not freed_by:
            # What was handed over before has its turn.
            await asyncio.wrap_future(store._thread.submit(threading.get_ident))
        assert freed_by == [thread]
        await store.close()

    asyncio.run(scenario())


def test_large_comparisons_leave_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many numbers the thread compares, and finds the same."""
    monkeypatch.setattr(vector_index, "MOST_ON_LOOP", 80)
    submitted = list[Any]()
    real = IndexThread.submit
    monkeypatch.setattr(
        IndexThread, "submit", lambda self, *arguments: (submitted.append(arguments[0]), real(self, *arguments))[1]
    )

    async def scenario() -> None:
        store = MemorySemanticStore(max_entries=100, graphs=False)
        for number in range(50):
            await store.add(entry(number, number, 0.0))
            best = max(range(number + 1), key=lambda each: float(ROWS[each] @ ROWS[60]))
            assert (await found(store, 60, 0.0))[0][0] == best.to_bytes(16, "big")
        assert len(submitted) == 40
        await store.close()

    asyncio.run(scenario())


def test_no_turn_of_the_event_loop_compares_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn after each block, and what is found is the same."""
    monkeypatch.setattr(vector_index, "_BLOCK", 32)
    monkeypatch.setattr(vector_index, "_IN_A_TURN", 32 * len(ROWS[0]))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        store = MemorySemanticStore(max_entries=400, graphs=False)
        for number in range(320):
            await store.add(entry(number, number, 0.0))
        turning = asyncio.create_task(turn())
        best = max(range(320), key=lambda each: float(ROWS[each] @ ROWS[350]))
        assert (await found(store, 350, 0.0))[0][0] == best.to_bytes(16, "big")
        turning.cancel()
        await store.close()

    asyncio.run(scenario())
    assert turns == 9


def test_arrays_grow_and_shrink_without_losing_a_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several blocks, by chance."""
    monkeypatch.setattr(vector_index, "_BLOCK", 32)
    rng, index, rows = np.random.default_rng(1), VectorIndex(8), dict[bytes, int]()
    for step in range(1500):
        number = int(rng.integers(200 if step < 750 else 20))
        key, row = number.to_bytes(16, "big"), int(rng.integers(400))
        if step % 5 < (3 if step < 750 else 1):
            index.add(key, ROWS[row].tobytes())
            rows[key] = row
        else:
            index.remove(key)
            rows.pop(key, None)
        if rows and step % 10 == 0:
            expected = max(float(ROWS[each] @ ROWS[step % 400]) for each in rows.values())
            (nearest,) = candidates(*index.snapshot(), ROWS[step % 400].tobytes(), 1)
            assert float(ROWS[rows[nearest]] @ ROWS[step % 400]) == pytest.approx(expected, abs=1e-5)
        assert len(index) == len(rows)


def test_without_graphs_a_scope_is_bounded_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """With the line that installs the package."""

    async def scenario() -> None:
        store = MemorySemanticStore(max_entries=100, graph_above=10, graphs=False)
        for number in range(15):
            await store.add(entry(number, number, 0.0))
        assert len(store) == 10

    with caplog.at_level(logging.WARNING, "turnout"):
        asyncio.run(scenario())
    (record,) = caplog.records
    assert install_line("semantic") in record.getMessage()


def test_a_look_up_that_waits_while_its_scope_is_discarded_finds_less_and_does_not_fail() -> None:
    """A purge or an expiry takes the scope's last entry while the thread is at work in the graph."""

    async def scenario() -> None:
        thread = IndexThread()
        scope = GrowingIndex(8, thread, 4)
        for number in range(100):
            scope.add(number.to_bytes(16, "big"), ROWS[number].tobytes())
        graph = scope._graph
        assert graph is not None
        while graph.waiting or scope._earlier:
            await scope.candidates(ROWS[0].tobytes(), 5)
        with graph._inside:
            looking_up = [asyncio.create_task(scope.candidates(ROWS[0].tobytes(), 20)) for _ in range(5)]
            await asyncio.sleep(0.05)
            scope.discard()
            freed = asyncio.wrap_future(thread.submit(int))
        await asyncio.gather(*looking_up)
        await freed
        thread.close()

    asyncio.run(scenario())
