"""Budgets: reserved before, settled after, never beyond the limit, nothing lost and nothing made."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.stores.contract.conftest import Bench, Run
from turnout.ports.admission import Ask, Gate, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim

STILL = True
# The stores' clocks stand at 1,000,000 s and at 1,800,000,000 s: each has its own windows.
DAY = BudgetClaim(
    policy="user",
    key="user:ann",
    limit=1000,
    windows=(
        (999_000, 1_000_100),
        (1_000_100, 1_000_200),
        (1_799_999_000, 1_800_000_100),
        (1_800_000_100, 1_800_000_200),
    ),
)
TOTAL = BudgetClaim(policy="total", key="total", limit=1500, windows=DAY.windows)
ROLLING = BudgetClaim(policy="total", key="total", limit=1000, rolling_s=4096)


async def enter(gate: Gate, *claims: BudgetClaim, worst: tuple[int, ...] = (400,), lease_s: float = 50.0) -> Any:
    return (await gate.enter(Ask(budgets=claims, worst=worst, lease_s=lease_s))).verdict


async def lead(gate: Gate, *claims: BudgetClaim, worst: int = 400, lease_s: float = 50.0) -> str:
    verdict = await enter(gate, *claims, worst=(worst,), lease_s=lease_s)
    assert isinstance(verdict, Lead)
    return verdict.lease


async def leave(gate: Gate, lease: str, cost: int | None, *claims: BudgetClaim) -> tuple[BudgetState, ...]:
    return await gate.leave(Settlement(key=None, lease=lease, cost=cost, budgets=claims))


async def book(gate: Gate, claim: BudgetClaim) -> tuple[int, int]:
    """Spent and reserved, as the settlement of an unknown lease returns them."""
    (state,) = await leave(gate, "nobody", 0, claim)
    return state.spent, state.reserved


def test_the_worst_is_reserved_and_the_cost_settled(run: Run) -> None:
    """On every budget that applies, and returned with the settlement."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lease = await lead(gate, DAY, TOTAL)
        assert [await book(gate, DAY), await book(gate, TOTAL)] == [(0, 400), (0, 400)]
        states = await leave(gate, lease, 123, DAY, TOTAL)
        assert [(state.spent, state.reserved) for state in states] == [(123, 0), (123, 0)]
        assert states[0].end - states[0].start == 1100
        await leave(gate, lease, 123)
        assert await book(gate, DAY) == (123, 0)

    run(scenario)


def test_the_first_worst_case_that_fits_every_budget_is_taken(run: Run) -> None:
    """The dearest that fits; none: refused by the one without room, soon while something is out."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first = await enter(gate, DAY, TOTAL, worst=(1001, 700, 5))
        assert isinstance(first, Lead)
        assert first.fits == 1
        second = await enter(gate, DAY, TOTAL, worst=(700, 5))
        assert second.fits == 1
        refused = await enter(gate, DAY, TOTAL, worst=(700, 400))
        assert isinstance(refused, BudgetRefused)
        assert (refused.claim, refused.retry_after_s) == (DAY, 1)
        await leave(gate, first.lease, 700)
        await leave(gate, second.lease, 5)
        refused = await enter(gate, DAY, TOTAL, worst=(400,))
        assert (refused.claim, refused.retry_after_s) == (DAY, 100)
        assert await book(gate, TOTAL) == (705, 0)

    run(scenario)


def test_a_window_that_turns_begins_with_nothing_spent(run: Run) -> None:
    """What was reserved before the turn is settled where it was reserved."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lease = await lead(gate, DAY, worst=1000, lease_s=300)
        await bench.pass_time(100)
        assert await book(gate, DAY) == (0, 0)
        await lead(gate, DAY, worst=1000)
        await leave(gate, lease, 900)
        assert await book(gate, DAY) == (0, 1000)

    run(scenario)


def test_no_money_is_spent_outside_of_every_window(run: Run) -> None:
    """A worker whose clock is windows away from the store's is refused."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await bench.pass_time(1000)
        assert isinstance(await enter(gate, DAY), BudgetRefused)

    run(scenario)


def test_what_rolls_leaves_when_its_time_is_over(run: Run) -> None:
    """Dated by its settlement; a slot later at most."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first = await lead(gate, ROLLING, worst=900)
        await bench.pass_time(10)
        await leave(gate, first, 600)
        await bench.pass_time(1000)
        await leave(gate, await lead(gate, ROLLING, worst=400), 400)
        refused = await enter(gate, ROLLING, worst=(500,))
        assert isinstance(refused, BudgetRefused)
        assert 4096 - 1000 <= refused.retry_after_s <= 4096 - 999
        await bench.pass_time(refused.retry_after_s - 2)
        assert isinstance(await enter(gate, ROLLING, worst=(500,)), BudgetRefused)
        await bench.pass_time(2)
        assert isinstance(await enter(gate, ROLLING, worst=(600,)), Lead)

    run(scenario)


def test_a_lease_that_nobody_comes_back_for_is_spent_at_the_worst(run: Run) -> None:
    """And corrected where its settlement comes late, once."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lost, late = await lead(gate, DAY), await lead(gate, DAY)
        await bench.pass_time(51)
        await lead(gate, DAY, worst=1)
        assert await book(gate, DAY) == (800, 1)
        await leave(gate, late, 100)
        assert await book(gate, DAY) == (500, 1)
        await leave(gate, late, 100)
        assert await book(gate, DAY) == (500, 1)
        assert lost

    run(scenario)


def test_usage_that_never_came_is_the_worst_case(run: Run) -> None:
    """`cost` None, topped up or not."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        lease = await lead(gate, DAY)
        assert await gate.top_up(lease, 100)
        await leave(gate, lease, None)
        assert await book(gate, DAY) == (500, 0)

    run(scenario)


def test_a_top_up_takes_all_or_nothing(run: Run) -> None:
    """Of every budget and of the tokens; none without a lease."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        tokens = RateClaim(policy="user", key="u", limit=100, window_s=60, unit="tokens", amount=60)
        verdict = (await gate.enter(Ask(rates=(tokens,), budgets=(DAY, TOTAL), worst=(400,)))).verdict
        assert isinstance(verdict, Lead)
        assert not await gate.top_up(verdict.lease, 601)
        assert not await gate.top_up(verdict.lease, 0, 41)
        assert not await gate.top_up(verdict.lease, 601, 1)
        assert [await book(gate, DAY), await book(gate, TOTAL)] == [(0, 400), (0, 400)]
        assert await gate.top_up(verdict.lease, 600, 40)
        assert [await book(gate, DAY), await book(gate, TOTAL)] == [(0, 1000), (0, 1000)]
        await leave(gate, verdict.lease, 1)
        assert not await gate.top_up(verdict.lease, 1)
        assert await book(gate, DAY) == (1, 0)

    run(scenario)


def test_concurrent_requests_never_reserve_beyond_the_limit(run: Run) -> None:
    """A hundred at once, of 37 each: twenty-seven go."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        verdicts = await asyncio.gather(*(enter(gate, DAY, worst=(37,)) for _ in range(100)))
        assert sum(isinstance(verdict, Lead) for verdict in verdicts) == 27
        assert await book(gate, DAY) == (0, 999)

    run(scenario)


@pytest.mark.parametrize("claim", [DAY, ROLLING], ids=["calendar", "rolling"])
@given(seed=st.integers(0, 2**32))
@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
def test_nothing_is_lost_and_nothing_made(bench: Bench, run: Run, claim: BudgetClaim, seed: int) -> None:
    """Whatever is entered, topped up, settled, lost, and settled late or twice: what the ledger holds is to the
    nano-USD what a plain sum says, and never beyond the limit. Sums of up to nine million USD are exact."""
    scale = 9 * 10**12
    key = f"total-{seed}-{random.Random(seed).random()}"
    big = BudgetClaim(policy="total", key=key, limit=1000 * scale, windows=claim.windows, rolling_s=claim.rolling_s)

    async def scenario(bench: Bench, gate: Gate) -> None:
        chances, open_leases, spent = random.Random(seed), {}, 0
        for _ in range(60):
            doing = chances.random()
            if doing < 0.5 or not open_leases:
                worst = chances.randrange(200 * scale)
                verdict = await enter(gate, big, worst=(worst,), lease_s=500)
                fits = spent + sum(open_leases.values()) + worst <= big.limit
                assert isinstance(verdict, Lead) == fits
                if isinstance(verdict, Lead):
                    open_leases[verdict.lease] = worst
            else:
                lease = chances.choice(sorted(open_leases))
                if doing < 0.6:
                    more = chances.randrange(100 * scale)
                    if await gate.top_up(lease, more):
                        open_leases[lease] += more
                else:
                    cost = None if doing < 0.7 else chances.randrange(open_leases[lease] + 1)
                    worst = open_leases.pop(lease)
                    spent += worst if cost is None else cost
                    await leave(gate, lease, cost)
                    await leave(gate, lease, cost)
            assert await book(gate, big) == (spent, sum(open_leases.values()))
            assert spent + sum(open_leases.values()) <= big.limit
        for lease in open_leases:
            await leave(gate, lease, 7)
        assert await book(gate, big) == (spent + 7 * len(open_leases), 0)

    run(scenario)


def test_no_name_of_an_account_is_anothers(run: Run) -> None:
    """Whatever a caller has chosen as its last part, the parts of a store's own names included."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for key in ("endpoint:/item/0", "endpoint:/item/0:z", "z:b:r4096:endpoint:/item/0", "endpoint:/item/0:z:z"):
            claim = BudgetClaim(policy="endpoint", key=key, limit=1000, rolling_s=4096)
            rate = RateClaim(policy="endpoint", key=key, limit=1000, window_s=60)
            verdict = (await gate.enter(Ask(rates=(rate,), budgets=(claim,), worst=(400,)))).verdict
            assert isinstance(verdict, Lead)
            await leave(gate, verdict.lease, 100)
            assert await book(gate, claim) == (100, 0)

    run(scenario)
