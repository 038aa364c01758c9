"""The error bound of several processes: each counts its own checks once, and everybody's; what one learnt all know."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from turnout.caching.semantic.error_bound import RISK, ErrorBound
from turnout.caching.semantic.shared_error_bound import MOST_UNSENT, SETTLE_S, SharedErrorBound
from turnout.ports.semantic import (
    RESULTS_AT_ONCE,
    CheckBatch,
    CheckResult,
    ExchangeResult,
    PairResult,
    Purged,
    RatedWrong,
    UninformativeAnswer,
)


class Checks:
    """Implements CheckStore. down: nothing can be asked; mute: what is added is counted, but no answer comes."""

    def __init__(self) -> None:
        self.sums: list[int] = []
        self.results: list[CheckResult | Purged] = []
        self.seen: dict[str, int] = {}
        self.ages: list[float] = []
        self.down = self.mute = False

    async def exchange(self, name: str, batch: CheckBatch, age_s: float, since: str) -> ExchangeResult | None:
        if self.down:
            return None
        assert len(batch.results) <= RESULTS_AT_ONCE
        self.ages.append(age_s)
        if batch.number > self.seen.get(batch.worker, 0):
            self.seen[batch.worker] = batch.number
            self.sums = [a + b for a, b in zip(self.sums or [0] * len(batch.counts), batch.counts, strict=True)]
            self.results += batch.results
        await asyncio.sleep(0)
        start = int(since or 0)
        news = self.results[start : start + RESULTS_AT_ONCE]
        sums = self.sums or [0] * len(batch.counts)
        last, more = str(start + len(news)), len(news) == RESULTS_AT_ONCE
        return None if self.mute else ExchangeResult(sums=list(sums), results=news, last=last, more=more)


def share(
    checks: Checks, max_error: float = 0.1, now: Callable[[], float] = lambda: 0.0
) -> tuple[ErrorBound, SharedErrorBound, list[CheckResult | Purged]]:
    """One process' error bound, its part of the shared one, and what it is taught."""
    error_bound, learnt = ErrorBound(max_error, shared=True), list[CheckResult | Purged]()
    return error_bound, SharedErrorBound(error_bound, checks, "n", now=now, learn=learnt.append), learnt


def test_two_processes_count_each_check_once() -> None:
    """Whatever is checked while they settle, while the store is away, and where its answer is lost."""
    checks = Checks()
    error_bounds, shared, _ = zip(share(checks), share(checks), strict=True)

    async def main() -> None:
        for step in range(120):
            error_bounds[step % 2].record(0.95, agrees=step % 10 != 0)
            checks.down, checks.mute = step % 7 == 0, step % 5 == 0
            settling = asyncio.ensure_future(shared[step % 2].settle())
            await asyncio.sleep(0)
            error_bounds[step % 2].record(0.6, agrees=True)
            await settling
        checks.down = checks.mute = False
        for each in (*shared, *shared, *shared):
            await each.settle()

    asyncio.run(main())
    assert [(error_bound.checks, error_bound.wrong) for error_bound in error_bounds] == [(240, 12)] * 2


def test_it_opens_by_what_another_has_checked() -> None:
    """And closes by it."""
    checks = Checks()
    error_bounds, shared, _ = zip(share(checks), share(checks), strict=True)
    for agrees, opened in ((True, True), (False, False)):
        for _ in range(100):
            error_bounds[0].record(0.95, agrees=agrees)
        for each in shared:
            asyncio.run(each.settle())
        assert error_bounds[1].allows(0.95) is opened


def test_it_opens_by_the_sums_of_all_alone() -> None:
    """What a process has checked since it asked for them can close a level, and open none."""
    error_bound, shared, _ = share(Checks())
    for _ in range(100):
        error_bound.record(0.95, agrees=True)
    assert not error_bound.allows(0.95)
    asyncio.run(shared.settle())
    assert error_bound.allows(0.95)
    for _ in range(20):
        error_bound.record(0.95, agrees=False)
    assert not error_bound.allows(0.95)


@pytest.mark.parametrize("mute", [False, True])
def test_what_is_in_no_sums_yet_opens_nothing(mute: bool) -> None:
    """Though it was sent: while the store is away, or its answer is lost, however often a process tries."""
    checks = Checks()
    error_bound, shared, _ = share(checks)
    checks.down, checks.mute = not mute, mute
    for _ in range(3):
        for _ in range(100):
            error_bound.record(0.95, agrees=True)
        asyncio.run(shared.settle())
        error_bound.record(0.95, agrees=True)
        assert not error_bound.allows(0.95)
    checks.down = checks.mute = False
    asyncio.run(shared.settle())
    assert error_bound.allows(0.95)
    assert (error_bound.checks, error_bound.wrong) == (303, 0)
    checks.down = True
    for _ in range(2):
        for _ in range(20):
            error_bound.record(0.95, agrees=False)
        asyncio.run(shared.settle())
    assert not error_bound.allows(0.95)


@pytest.mark.parametrize("max_error", [0.05, 0.10])
def test_many_workers_open_a_level_that_errs_too_often_no_more_than_one(max_error: float) -> None:
    """Eight workers, each of which looks at its own view after each check: one sequence, one risk."""
    opened = 0
    for seed in range(60):
        rng, checks = random.Random(seed), Checks()
        workers = [share(checks, max_error) for _ in range(8)]

        async def replay() -> bool:
            for step in range(400):
                # A fifth of the time nobody reaches the store.
                checks.down = step % 50 >= 40  # noqa: B023
                error_bound, shared, _ = rng.choice(workers)  # noqa: B023
                error_bound.record(0.95, agrees=rng.random() >= max_error)  # noqa: B023
                if error_bound.allows(0.95):
                    return True
                if rng.random() < 0.1:  # noqa: B023
                    await shared.settle()
            return False

        opened += asyncio.run(replay())
    assert opened <= round(60 * RISK) + 1


def test_the_others_are_asked_once_in_a_while() -> None:
    """Not at each look-up."""
    times = iter((0.0, 100.0, 100.1, 100.0 + SETTLE_S, 100.1 + SETTLE_S))
    _, shared, _ = share(Checks(), now=lambda: next(times))
    assert [shared.is_due() for _ in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("user", [None, "user:ann"])
def test_a_purge_is_not_undone_by_an_answer_under_way(user: str | None) -> None:
    """What the store says of before the purge is not taken over after it; sums name nobody and outlive a user's."""
    checks = Checks()
    error_bound, shared, learnt = share(checks)
    for _ in range(100):
        error_bound.record(0.95, agrees=True)

    async def main() -> None:
        settling = asyncio.ensure_future(shared.settle())
        await asyncio.sleep(0)
        shared.note(result("user:ann"))
        shared.note(result("user:bob"))
        shared.forget(user, counts=user is None)
        if user is None:
            error_bound.forget()
        await settling
        assert error_bound.allows(0.95) is (user is not None)
        await shared.settle()

    asyncio.run(main())
    assert learnt == ([] if user is None else [result("user:bob")])


@pytest.mark.parametrize("user", [None, "user:ann"])
@pytest.mark.parametrize("under_way", [False, True])
def test_a_purge_of_a_user_or_an_endpoint_leaves_the_checks_under_way(user: str | None, under_way: bool) -> None:
    """Each counts once; results of who is forgotten are not sent with them."""
    checks = Checks()
    error_bound, shared, learnt = share(checks)
    for _ in range(10):
        error_bound.record(0.95, agrees=False)
    shared.note(result("user:ann"))
    shared.note(result("user:bob"))

    async def main() -> None:
        checks.down = not under_way
        settling = asyncio.ensure_future(shared.settle())
        await asyncio.sleep(0)
        shared.forget(user, counts=False)
        await settling
        checks.down = False
        await shared.settle()

    asyncio.run(main())
    assert (error_bound.checks, error_bound.wrong, checks.sums[-1]) == (10, 10, 10)
    if not under_way:
        assert learnt == checks.results == ([] if user is None else [result("user:bob")])


def result(user: str, number: int = 0) -> PairResult:
    return PairResult(scope=b"s", known=b"k", asked=b"%d" % number, agrees=False, users=("user:carl", user))


def test_what_one_process_learnt_all_are_told_once_and_in_one_order() -> None:
    """Also what it learnt while the store was away, as far as it remembers; who starts later hears it all."""
    checks = Checks()
    (_, first, heard), (_, second, too) = share(checks), share(checks)
    checks.down = True
    told: list[CheckResult] = [result("user:ann", number) for number in range(MOST_UNSENT)]
    told += [UninformativeAnswer(b"a"), RatedWrong("r")]
    for each in told:
        first.note(each)
    asyncio.run(first.settle())
    checks.down = False
    second.note(result("user:bob"))
    for each in (second, first, second):
        asyncio.run(each.settle())
    _, late, later = share(checks)
    asyncio.run(late.settle())
    assert heard == too == later == [result("user:bob"), *told[2:]]


def test_a_batch_is_no_younger_than_what_it_holds() -> None:
    """So that a purge since then is known to concern it; also where it is sent once more."""
    clock, checks = [0.0], Checks()
    _, shared, _ = share(checks, now=lambda: clock[0])
    checks.mute = True
    for clock[0] in (10.0, 15.0):
        shared.note(result("user:ann"))
        asyncio.run(shared.settle())
    checks.mute = False
    clock[0] = 20.0
    asyncio.run(shared.settle())
    # The first batch three times, of what was since the beginning; then the second, noted at 15.
    assert checks.ages == [10.0, 15.0, 20.0, 10.0]
