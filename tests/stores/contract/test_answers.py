"""Stored answers: fresh, then stale, then gone; nobody else's."""

from __future__ import annotations

import pytest

from tests.stores.contract.conftest import Bench, Run
from turnout.ports import Ask, Gate, Hit, Lead, Settlement, Store

KEY = bytes(range(16))


def store(packed: bytes = b"\x00\xffanswer\r\n", *, user: str = "ann", endpoint: str = "/ask") -> Store:
    return Store(packed=packed, ttl_s=10, stale_s=20, user=user, endpoint=endpoint)


async def lead(gate: Gate, key: bytes | None = KEY) -> Lead:
    verdict = (await gate.enter(Ask(key=key))).verdict
    assert isinstance(verdict, Lead)
    return verdict


async def keep(gate: Gate, kept: Store, key: bytes = KEY) -> None:
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
