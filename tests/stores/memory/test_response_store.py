"""Kept responses: bounded by bytes and by time, forgotten by user."""

from __future__ import annotations

import asyncio

from turnout.stores.memory.response_store import KeptResponse, ResponseStore
from turnout.testing import ManualClock


def kept(owner: str = "a", size: int = 1_000) -> KeptResponse:
    return KeptResponse(owner, b"x" * size, [{"role": "user", "content": "y" * size}])


def test_a_hundred_thousand_responses_keep_to_the_bound() -> None:
    """The oldest go first; the newest is there."""
    store = ResponseStore(ManualClock(), 60, most_bytes=1_000_000)
    for number in range(100_000):
        store.put(f"resp_{number}", kept())
    assert 250 < len(store) < 1_000_000 // 2_000
    assert store.get("resp_0") is None
    assert store.get("resp_99999") is not None


def test_what_is_over_is_dropped_by_the_next_one() -> None:
    """Nothing waits in memory for somebody to ask."""
    clock = ManualClock()
    store = ResponseStore(clock, 60)
    store.put("resp_1", kept())
    asyncio.run(clock.advance(61))
    store.put("resp_2", kept())
    assert len(store) == 1


def test_a_user_is_forgotten_whole() -> None:
    """And nobody else."""
    store = ResponseStore(ManualClock(), 60)
    for number in range(10):
        store.put(f"resp_{number}", kept("ab"[number % 2]))
    store.forget("a")
    assert [store.get(f"resp_{number}") is None for number in range(10)] == [True, False] * 5
