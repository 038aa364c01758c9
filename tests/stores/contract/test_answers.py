"""Stored answers: fresh, then stale, then gone; nobody else's."""

from __future__ import annotations

import pytest

from tests.stores.contract.conftest import MAX_BYTES, MAX_ENTRIES, Bench, Run
from turnout.ports.admission import Ask, CacheAdmin, Gate, Hit, Lead, NewEntry, Settlement

KEY = bytes(range(16))


def store(packed: bytes = b"\x00\xffanswer\r\n", *, user: str = "ann", endpoint: str = "/ask") -> NewEntry:
    return NewEntry(packed=packed, ttl_s=10, stale_s=20, user=user, endpoint=endpoint)


async def lead(gate: Gate, key: bytes | None = KEY) -> Lead:
    verdict = (await gate.enter(Ask(key=key))).verdict
    assert isinstance(verdict, Lead)
    return verdict


async def keep(gate: Gate, kept: NewEntry, key: bytes = KEY) -> None:
    await gate.leave(Settlement(key=key, lease=(await lead(gate, key)).lease, store=kept))


def test_an_answer_comes_back_byte_for_byte(run: Run) -> None:
    """Any bytes, an age with them."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        every = bytes(range(256)) * 100
        await keep(gate, store(every))
        await bench.pass_time(4)
        hit = (await gate.enter(Ask(key=KEY))).verdict
        assert isinstance(hit, Hit)
        assert hit.stored.packed == every
        assert hit.stored.age_s == pytest.approx(4, abs=0.9)
        assert isinstance((await gate.enter(Ask(key=bytes(16)))).verdict, Lead)

    run(scenario)


def test_fresh_then_stale_then_gone(run: Run) -> None:
    """Past its time it answers no more, but stands as a fallback until that time is over too."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await keep(gate, store())
        assert await gate.stale(KEY) is not None
        await bench.pass_time(11)
        await lead(gate)
        stale = await gate.stale(KEY)
        assert stale is not None
        assert stale.packed == store().packed
        assert stale.age_s == pytest.approx(11, abs=0.9)
        await bench.pass_time(20)
        assert await gate.stale(KEY) is None

    run(scenario)


def test_the_caller_may_want_a_younger_answer_or_none(run: Run) -> None:
    """`max_age_s` and `lookup=False`."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await keep(gate, store())
        await bench.pass_time(5)
        assert isinstance((await gate.enter(Ask(key=KEY, max_age_s=7))).verdict, Hit)
        assert isinstance((await gate.enter(Ask(key=KEY, max_age_s=3, collapse=False))).verdict, Lead)
        assert isinstance((await gate.enter(Ask(key=KEY, lookup=False, collapse=False))).verdict, Lead)

    run(scenario)


def test_a_newer_answer_takes_the_place_of_an_older_one(run: Run) -> None:
    """With its own time."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await keep(gate, store(b"old"))
        await bench.pass_time(9)
        verdict = (await gate.enter(Ask(key=KEY, lookup=False, collapse=False))).verdict
        assert isinstance(verdict, Lead)
        await gate.leave(Settlement(key=KEY, lease=verdict.lease, store=store(b"new")))
        await bench.pass_time(9)
        hit = (await gate.enter(Ask(key=KEY))).verdict
        assert isinstance(hit, Hit)
        assert hit.stored.packed == b"new"

    run(scenario)


def test_without_a_key_nothing_is_kept(run: Run) -> None:
    """Each such request leads, whatever the others do."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first, second = await lead(gate, None), await lead(gate, None)
        assert first.lease != second.lease
        await gate.leave(Settlement(key=None, lease=first.lease, store=store()))
        await lead(gate, None)

    run(scenario)


def _key(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def _there(gate: Gate, *numbers: int) -> list[int]:
    return [number for number in numbers if await gate.stale(_key(number)) is not None]


def test_purging_by_user_by_endpoint_and_all(run: Run) -> None:
    """Only what was named goes; both named: what is of both. Told is how many."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        cache_admin: CacheAdmin = gate  # type: ignore[assignment] - every gate of ours is a CacheAdmin
        stored = [("ann", "/a"), ("ann", "/b"), ("bob", "/a"), ("bob", "/b"), ("", "")]
        for number, (user, endpoint) in enumerate(stored):
            await keep(gate, store(user=user, endpoint=endpoint), _key(number))
        assert await cache_admin.purge(user="ann", endpoint="/b") == 1
        assert await _there(gate, 0, 1, 2, 3, 4) == [0, 2, 3, 4]
        assert await cache_admin.purge(user="ann") == 1
        assert await cache_admin.purge(user="ann") == 0
        assert await cache_admin.purge(endpoint="/a") == 1
        assert await _there(gate, 0, 1, 2, 3, 4) == [3, 4]
        assert await cache_admin.purge(user="") == 1
        assert await cache_admin.purge() == 1
        assert await _there(gate, 0, 1, 2, 3, 4) == []

    run(scenario)


def test_entries_stay_within_their_bound(run: Run) -> None:
    """Of more than fit, the oldest go."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for number in range(MAX_ENTRIES + 20):
            await keep(gate, store(b"x"), _key(number))
            await bench.pass_time(0.01)
        assert await _there(gate, *range(MAX_ENTRIES + 20)) == list(range(20, MAX_ENTRIES + 20))

    run(scenario)


def test_bytes_stay_within_their_bound(run: Run) -> None:
    """However large the answers, overwritten ones and one too large for the store included."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        size = MAX_BYTES // 10
        for number in range(30):
            await keep(gate, store(b"x" * size), _key(number))
            await bench.pass_time(0.01)
        there = await _there(gate, *range(30))
        assert there == list(range(30 - len(there), 30))
        assert 7 <= len(there) <= 9
        for _ in range(30):
            verdict = (await gate.enter(Ask(key=_key(29), lookup=False, collapse=False))).verdict
            assert isinstance(verdict, Lead)
            await gate.leave(Settlement(key=_key(29), lease=verdict.lease, store=store(b"y" * size)))
        assert await _there(gate, *range(30)) == there
        await keep(gate, store(b"x" * MAX_BYTES), _key(99))
        assert await _there(gate, 99, *there) == there

    run(scenario)


def test_what_is_over_makes_room(run: Run) -> None:
    """Answers whose time is over weigh nothing."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        cache_admin: CacheAdmin = gate  # type: ignore[assignment] - as above
        for number in range(9):
            await keep(gate, store(b"x" * (MAX_BYTES // 10)), _key(number))
        await bench.pass_time(31)
        for number in range(20, 28):
            await keep(gate, store(b"x" * (MAX_BYTES // 10)), _key(number))
        assert await _there(gate, *range(20, 28)) == list(range(20, 28))
        assert await cache_admin.purge(user="ann") >= 8

    run(scenario)
