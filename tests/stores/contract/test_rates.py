"""Rate limits: never more than the limit in any window, all or nothing, the same verdicts on every store."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from tests.stores.contract.conftest import Bench, Run
from tests.stores.contract.test_answers import KEY, keep, store
from turnout.ports.admission import Ask, Entry, Follow, Gate, Hit, Lead, Settlement
from turnout.ports.limits import BudgetClaim, RateClaim, RateRefused

STILL = True
USER = RateClaim(policy="user", key="user:ann", limit=3, window_s=10)
ENDPOINT = RateClaim(policy="endpoint", key="endpoint:/ask", limit=5, window_s=10)
TOKENS = RateClaim(policy="user", key="user:ann", limit=1000, window_s=60, unit="tokens", amount=400)
FULL = BudgetClaim(policy="total", key="total", limit=10, rolling_s=1000)


async def ask(gate: Gate, *rates: RateClaim, **more: object) -> Entry:
    return await gate.enter(Ask(rates=rates, **more))  # type: ignore[arg-type]


async def admitted(gate: Gate, *rates: RateClaim) -> bool:
    verdict = (await ask(gate, *rates)).verdict
    if isinstance(verdict, Lead):
        await gate.leave(Settlement(key=None, lease=verdict.lease, tokens=0))
        return True
    assert isinstance(verdict, RateRefused)
    return False


def test_a_used_up_limit_refuses_until_the_window_has_slid(run: Run) -> None:
    """With the time until it would fit, and the states of all."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for second in range(3):
            entry = await ask(gate, USER, ENDPOINT)
            assert [state.remaining for state in entry.rates] == [2 - second, 4 - second]
            await bench.pass_time(1)
        refused = (await ask(gate, USER, ENDPOINT)).verdict
        assert isinstance(refused, RateRefused)
        assert refused.claim == USER
        assert refused.retry_after_s == pytest.approx(7)
        await bench.pass_time(7)
        assert await admitted(gate, USER)
        assert not await admitted(gate, USER)

    run(scenario)


def test_a_refusal_takes_nothing_of_the_other_limits(run: Run) -> None:
    """However often it is refused."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for _ in range(3):
            assert await admitted(gate, USER)
        for _ in range(10):
            assert not await admitted(gate, ENDPOINT, USER)
        for _ in range(5):
            assert await admitted(gate, ENDPOINT)
        assert not await admitted(gate, ENDPOINT)

    run(scenario)


def test_a_budget_that_refuses_gives_the_rate_back(run: Run) -> None:
    """And a call that is refused after it entered."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for _ in range(5):
            entry = await ask(gate, USER, budgets=(FULL,), worst=(11,))
            assert not isinstance(entry.verdict, Lead)
            assert entry.rates[0].remaining == 3
        for _ in range(5):
            verdict = (await ask(gate, USER, budgets=(FULL,), worst=(9,))).verdict
            assert isinstance(verdict, Lead)
            await gate.leave(Settlement(key=None, lease=verdict.lease, refused=True))
        assert await admitted(gate, USER)

    run(scenario)


def test_hits_take_requests_and_no_tokens(run: Run) -> None:
    """A hit is served where the tokens are used up; not where the requests are."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await keep(gate, store())
        whole = replace(TOKENS, amount=1000)
        lead = (await ask(gate, whole)).verdict
        assert isinstance(lead, Lead)
        for left in (2, 1, 0):
            entry = await ask(gate, USER, TOKENS, key=KEY)
            assert isinstance(entry.verdict, Hit)
            assert [state.remaining for state in entry.rates] == [left, 0]
        assert isinstance((await ask(gate, USER, TOKENS, key=KEY)).verdict, RateRefused)

    run(scenario)


def test_followers_take_requests_and_no_tokens(run: Run) -> None:
    """The flight that they join reserved them already."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        assert isinstance((await ask(gate, USER, TOKENS, key=KEY)).verdict, Lead)
        entry = await ask(gate, USER, TOKENS, key=KEY)
        assert isinstance(entry.verdict, Follow)
        assert [state.remaining for state in entry.rates] == [1, 600]

    run(scenario)


def test_tokens_are_held_at_the_worst_and_corrected_to_what_was_used(run: Run) -> None:
    """What is out may come back soon; what was used leaves a window after it was settled."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first, second = (await ask(gate, TOKENS)).verdict, (await ask(gate, TOKENS)).verdict
        assert isinstance(first, Lead)
        assert isinstance(second, Lead)
        refused = (await ask(gate, TOKENS)).verdict
        assert isinstance(refused, RateRefused)
        assert refused.retry_after_s == 1
        await gate.leave(Settlement(key=None, lease=first.lease, tokens=150))
        assert (await ask(gate, replace(TOKENS, amount=0))).rates[0].remaining == 450
        await gate.leave(Settlement(key=None, lease=second.lease, tokens=None))
        assert (await ask(gate, replace(TOKENS, amount=0))).rates[0].remaining == 450
        assert not await admitted(gate, replace(TOKENS, amount=451))
        assert not await admitted(gate, replace(TOKENS, amount=1001))
        await bench.pass_time(60)
        assert await admitted(gate, replace(TOKENS, amount=1000))

    run(scenario)


def test_concurrent_requests_share_the_limit(run: Run) -> None:
    """Fifty at once, three go."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        verdicts = await asyncio.gather(*(admitted(gate, USER) for _ in range(50)))
        assert sum(verdicts) == 3

    run(scenario)


class Reference:
    """What a sliding window is, written as plainly as can be: every admitted request, by its time in ms."""

    def __init__(self) -> None:
        self.admitted: dict[RateClaim, list[int]] = {}

    def verdict(self, claims: tuple[RateClaim, ...], now: int) -> bool:
        fits = all(
            sum(1 for at in self.admitted.get(claim, []) if now - at < claim.window_s * 1000) < claim.limit
            for claim in claims
        )
        for claim in claims if fits else ():
            self.admitted.setdefault(claim, []).append(now)
        return fits


@pytest.mark.parametrize("seed", [1, 2])
def test_random_requests_are_judged_as_the_reference_judges(run: Run, seed: int) -> None:
    """10,000 requests in both runs together, at random times, under several limits each: the same verdicts, and
    no window of the stated length, wherever it begins, holds more than its limit."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        chances, reference, now = random.Random(seed), Reference(), 0
        pool = [
            RateClaim(policy="user", key=f"user:{user}", limit=limit, window_s=window)
            for user in range(3)
            for limit, window in ((4, 2), (20, 20))
        ] + [RateClaim(policy="endpoint", key="endpoint:/a", limit=30, window_s=13)]
        for _ in range(5000):
            step = chances.choice([0, 0, 1, 20, 150, 700])
            now += step
            await bench.pass_time(step / 1000)
            claims = tuple(chances.sample(pool, chances.choice([1, 2, 3])))
            entry = await gate.enter(Ask(rates=claims))
            assert isinstance(entry.verdict, Lead) == reference.verdict(claims, now)
        for claim, times in reference.admitted.items():
            for first, last in zip(times, times[claim.limit :], strict=False):
                assert last - first >= claim.window_s * 1000

    run(scenario)
