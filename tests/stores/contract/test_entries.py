"""Vectors: many at once, fresh or not at all, gone with their user."""

from __future__ import annotations

from typing import Any

from tests.stores.contract.conftest import MAX_ENTRIES, Bench, Run
from turnout.ports.admission import NewEntry


def entry(packed: bytes, user: str = "ann") -> NewEntry:
    return NewEntry(packed=packed, ttl_s=10, stale_s=0, user=user, endpoint="/v1/embeddings")


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_what_is_kept_is_found_while_it_is_fresh(run: Run) -> None:
    """Of many keys those that are kept, byte for byte; none past its time or too old for the caller."""

    async def scenario(bench: Bench, gate: Any) -> None:
        kept = {key(at): entry(bytes([at]) * 5) for at in range(20)}
        await gate.store_many(kept)
        found = await gate.find_many([key(at) for at in range(15, 25)], None)
        assert found == {key(at): bytes([at]) * 5 for at in range(15, 20)}
        await bench.pass_time(5)
        assert await gate.find_many([key(1)], 2.0) == {}
        assert await gate.find_many([key(1)], 8.0) == {key(1): b"\x01" * 5}
        await bench.pass_time(6)
        assert await gate.find_many([key(1)], None) == {}
        assert await gate.find_many([], None) == {}

    run(scenario)


def test_they_share_the_bounds_of_answers_and_are_purged_with_them(run: Run) -> None:
    """More than the bound push the oldest out; a user's go at once."""

    async def scenario(bench: Bench, gate: Any) -> None:
        await gate.store_many({key(at): entry(b"v") for at in range(MAX_ENTRIES + 10)})
        found = await gate.find_many([key(at) for at in range(MAX_ENTRIES + 10)], None)
        assert len(found) <= MAX_ENTRIES
        await gate.store_many({key(1000): entry(b"v", user="bob")})
        await gate.purge(user="ann")
        assert await gate.find_many([*found, key(1000)], None) == {key(1000): b"v"}

    run(scenario)
