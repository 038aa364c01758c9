"""Calls in progress of one user: a place each, given back however the call ends."""

from __future__ import annotations

from tests.stores.contract.conftest import Bench, Run
from turnout.ports.admission import Ask, Follow, Gate, Hit, Lead, NewEntry, Settlement
from turnout.ports.limits import RateClaim, RateRefused

STILL = True


def claim(user: str = "user:ann", limit: int = 2) -> RateClaim:
    return RateClaim(policy="user", key=user, limit=limit, window_s=0, unit="calls")


async def lead(gate: Gate, *, key: bytes | None = None, user: str = "user:ann", lease_s: float = 100.0) -> str:
    verdict = (await gate.enter(Ask(key=key, rates=(claim(user),), lease_s=lease_s))).verdict
    assert isinstance(verdict, Lead)
    return verdict.lease


async def refused(gate: Gate, user: str = "user:ann") -> bool:
    entry = await gate.enter(Ask(rates=(claim(user),)))
    if isinstance(entry.verdict, RateRefused):
        assert entry.verdict.claim.unit == "calls"
        assert entry.verdict.retry_after_s == 1
        assert entry.rates[0].remaining == 0
        return True
    assert isinstance(entry.verdict, Lead)
    await gate.leave(Settlement(key=None, lease=entry.verdict.lease))
    return False


def test_a_user_has_so_many_places_at_once(run: Run) -> None:
    """Over all gates on the store; another user has its own; a settled call gives its place back."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        other = bench.gate()
        first, second = await lead(gate), await lead(other)
        assert await refused(gate)
        assert await refused(other)
        assert not await refused(gate, "user:bob")
        await gate.leave(Settlement(key=None, lease=first, cost=None, tokens=None))
        assert not await refused(other)
        await other.leave(Settlement(key=None, lease=second, refused=True))
        # Twice changes nothing.
        await other.leave(Settlement(key=None, lease=second))
        third = await lead(gate)
        fourth = await lead(gate)
        assert await refused(gate)
        for lease in (third, fourth):
            await gate.leave(Settlement(key=None, lease=lease))
        if other is not gate:
            await other.close()

    run(scenario)


def test_a_call_that_is_never_settled_gives_its_place_back_with_its_lease(run: Run) -> None:
    """And nothing twice where the settlement comes late."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lost = [await lead(gate, lease_s=10), await lead(gate, lease_s=10)]
        await bench.pass_time(9)
        assert await refused(gate)
        await bench.pass_time(2)
        held = [await lead(gate), await lead(gate)]
        for lease in lost:
            await gate.leave(Settlement(key=None, lease=lease))
        assert await refused(gate)
        for lease in held:
            await gate.leave(Settlement(key=None, lease=lease))
        assert not await refused(gate)

    run(scenario)


def test_hits_and_followers_take_no_place(run: Run) -> None:
    """They make no call."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lease = await lead(gate, key=b"0123456789abcdef")
        await lead(gate)
        ask = Ask(key=b"0123456789abcdef", rates=(claim(),))
        assert isinstance((await gate.enter(ask)).verdict, Follow)
        store = NewEntry(packed=b"four", ttl_s=60, stale_s=60)
        await gate.leave(Settlement(key=b"0123456789abcdef", lease=lease, store=store))
        await lead(gate)
        assert isinstance((await gate.enter(ask)).verdict, Hit)

    run(scenario)


def test_a_top_up_takes_no_further_place(run: Run) -> None:
    """It is of money and tokens alone."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        tokens = RateClaim(policy="user", key="user:ann", limit=100, window_s=60, unit="tokens", amount=10)
        verdict = (await gate.enter(Ask(rates=(claim(limit=1), tokens)))).verdict
        assert isinstance(verdict, Lead)
        assert await gate.top_up(verdict.lease, 0, 50)
        assert not await gate.top_up(verdict.lease, 0, 50)
        await gate.leave(Settlement(key=None, lease=verdict.lease, tokens=5))
        entry = await gate.enter(Ask(rates=(claim(limit=1), tokens)))
        assert isinstance(entry.verdict, Lead)
        assert [state.remaining for state in entry.rates] == [0, 85]

    run(scenario)
