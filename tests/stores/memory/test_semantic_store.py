"""The questions of semantic answers in memory: nearest first, bounded, fresh, forgotten on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from turnout.ports.semantic import Neighbour, SemanticEntry
from turnout.stores.memory.semantic_store import MemorySemanticStore

RNG = np.random.default_rng(7)


def vector(*numbers: float) -> bytes:
    row = np.array(numbers, dtype="<f4")
    return (row / np.linalg.norm(row)).astype("<f4").tobytes()


def entry(key: int, *numbers: float, scope: bytes = b"s", fresh_until: float = 100.0, **more: Any) -> SemanticEntry:
    return SemanticEntry(
        key=key.to_bytes(16, "big"),
        scope=scope,
        question=f"q{key}",
        vector=vector(*numbers),
        fresh_until=fresh_until,
        **more,
    )


def store_of(*entries: SemanticEntry, **bounds: Any) -> MemorySemanticStore:
    store = MemorySemanticStore(**{"max_entries": 100, **bounds})
    for each in entries:
        asyncio.run(store.add(each))
    return store


def nearest(store: MemorySemanticStore, *asked: Any) -> Sequence[Neighbour]:
    return asyncio.run(store.nearest(*asked))


def found(
    store: MemorySemanticStore, *numbers: float, scope: bytes = b"s", count: int = 5, now: float = 0.0
) -> list[str]:
    return [neighbour.entry.question for neighbour in nearest(store, scope, vector(*numbers), count, now)]


def test_the_nearest_come_first_and_scopes_never_meet() -> None:
    """With their cosines."""
    store = store_of(entry(1, 1, 0), entry(2, 1, 1), entry(3, 0, 1), entry(4, 1, 0, scope=b"other"))
    assert found(store, 1, 0.1) == ["q1", "q2", "q3"]
    assert found(store, 1, 0.1, count=1) == ["q1"]
    assert found(store, 1, 0, scope=b"unknown") == []
    (best,) = nearest(store, b"s", vector(1, 0), 1, 0.0)
    assert best.similarity == 1.0


def test_it_agrees_with_a_plain_search_through_adds_and_removals() -> None:
    """500 steps by chance."""
    store, rows = store_of(max_entries=10_000), dict[int, Any]()
    for step in range(500):
        key, row = int(RNG.integers(60)), RNG.normal(size=8)
        if step % 3 == 2:
            assert asyncio.run(store.remove(key.to_bytes(16, "big"))) == (key in rows)
            rows.pop(key, None)
        else:
            asyncio.run(store.add(entry(key, *row)))
            rows[key] = row / np.linalg.norm(row)
        asked = RNG.normal(size=8)
        expected = sorted(rows, key=lambda each: -float(rows[each] @ asked))[:4]
        assert found(store, *asked, count=4) == [f"q{each}" for each in expected]
        assert len(store) == len(rows)


def test_what_is_not_fresh_is_not_found() -> None:
    """And is cleared away."""
    store = store_of(entry(1, 1, 0, fresh_until=10), entry(2, 1, 1, fresh_until=20))
    assert found(store, 1, 0, now=10) == ["q2"]
    assert len(store) == 1
    assert found(store, 1, 0, now=20) == []
    assert len(store) == 0


def test_it_is_bounded_in_all_and_a_scope() -> None:
    """The oldest goes."""
    full = store_of(*(entry(key, 1, key) for key in range(5)), max_entries=3)
    assert sorted(each.question for each in full.entries) == ["q2", "q3", "q4"]
    scoped = store_of(
        *(entry(key, 1, key) for key in range(5)), entry(9, 1, 0, scope=b"t"), graph_above=2, graphs=False
    )
    assert sorted(each.question for each in scoped.entries) == ["q3", "q4", "q9"]


def test_a_user_and_an_endpoint_are_forgotten() -> None:
    """By either or both."""
    entries = [
        entry(1, 1, 0, user="a", endpoint="/x"),
        entry(2, 1, 1, user="a"),
        entry(3, 0, 1, user="b", endpoint="/x"),
    ]
    assert asyncio.run(store_of(*entries).purge(user="a")) == 2
    assert asyncio.run(store_of(*entries).purge(user="a", endpoint="/x")) == 1
    assert asyncio.run(store_of(*entries).purge()) == 3


def test_vectors_of_another_embedder_never_meet() -> None:
    """Two lengths are not comparable; the earlier ones go as they age."""
    store = store_of(entry(1, 1, 0), entry(2, 1, 0, 0))
    assert found(store, 1, 0) == ["q1"]
    assert found(store, 1, 0, 0) == ["q2"]
