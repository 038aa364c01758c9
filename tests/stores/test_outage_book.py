"""What a process admitted by itself in an outage is booked in Redis once, and is gone for its next share."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import pytest
import redis

from tests.stores.contract.conftest import RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateState
from turnout.stores.local_share import LastStates, local_ask
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.outage_book import BATCH, OutageBook, Report
from turnout.testing import ManualClock

RATE = RateClaim(policy="user", key="user:ann", limit=100, window_s=60)
TOKENS = RateClaim(policy="user", key="user:ann", limit=1000, window_s=60, unit="tokens", amount=50)
DAY = BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 4_000_000_000),))
ROLLING = BudgetClaim(policy="user", key="user:ann", limit=1000, rolling_s=4096)
ASK = Ask(rates=(RATE, TOKENS), budgets=(DAY, ROLLING), worst=(100,))


class Outage:
    """A local gate and the book beside it, as the failover gate has them."""

    def __init__(self, now: float = 1000.0) -> None:
        self.clock = ManualClock(now)
        self.gate = MemoryGate(clock=self.clock, max_entries=9, max_bytes=9999, lease_s=100)
        self.book = OutageBook()
        self._numbers = count()

    async def admit(self, ask: Ask = ASK) -> str:
        verdict = (await self.gate.enter(ask)).verdict
        assert isinstance(verdict, Lead)
        self.book.record(ask, verdict.lease, ask.worst[0] if ask.budgets else 0)
        return verdict.lease

    async def settle(self, lease: str, cost: int, tokens: int) -> None:
        await self.gate.leave(Settlement(key=None, lease=lease, cost=cost, tokens=tokens))
        self.book.settle(lease)

    def close(self) -> tuple[list[Report], dict[str, str]]:
        return self.book.close(self.gate.ledger, self.clock.monotonic(), lambda: f"n.{next(self._numbers)}")


def test_requests_tokens_and_money_are_booked_once(redis_server: RedisServer) -> None:
    """Told twice too; a call under way is reserved, and settled under its lease there."""

    async def scenario() -> None:
        bench = RedisBench(redis_server)
        shared = bench.gate()
        here = Outage(time.monotonic())
        over, under_way = await here.admit(), await here.admit()
        await here.settle(over, cost=30, tokens=20)
        assert await here.gate.top_up(under_way, 10, 5)
        here.book.top_up(under_way, 10, 5)
        reports, leases = here.close()
        assert not here.book
        for _ in range(2):
            for report in reports:
                await shared.report(report)
        entry = await shared.enter(Ask(rates=(RATE, TOKENS), budgets=(DAY, ROLLING), worst=(0,)))
        assert isinstance(entry.verdict, Lead)
        assert entry.rates[0].remaining == 100 - 2 - 1
        assert entry.rates[1].remaining == 1000 - 20 - 55 - 50
        assert [(state.spent, state.reserved) for state in entry.budgets] == [(30, 110)] * 2
        await shared.leave(Settlement(key=None, lease=entry.verdict.lease))
        (state,) = await shared.leave(Settlement(key=None, lease=leases[under_way], cost=7, tokens=7, budgets=(DAY,)))
        assert (state.spent, state.reserved) == (37, 0)
        await shared.close()
        bench.close()

    asyncio.run(scenario())


def test_what_has_left_its_window_is_not_booked() -> None:
    """And what is in it keeps its age."""

    async def scenario() -> None:
        here, ask = Outage(), Ask(rates=(RATE,))
        await here.admit(ask)
        await here.clock.advance(50)
        await here.admit(ask)
        await here.clock.advance(20)
        ((_, amounts),) = here.close()[0][0].rates
        assert amounts == ((20_000, 1),)

    asyncio.run(scenario())


def test_reports_are_small() -> None:
    """Each is one script, and none holds Redis up."""

    async def scenario() -> None:
        here = Outage()
        for number in range(BATCH + 1):
            await here.admit(Ask(rates=(RateClaim(policy="user", key=f"user:{number}", limit=9, window_s=60),)))
        assert [len(report.rates) for report in here.close()[0]] == [BATCH, 1]

    asyncio.run(scenario())


def test_what_is_noted_is_bounded() -> None:
    """Of more accounts than that, the least recently used are not told of."""
    book = OutageBook(max_accounts=3)
    for number in range(1000):
        claim = RateClaim(policy="user", key=f"user:{number}", limit=9, window_s=60)
        budget = BudgetClaim(policy="user", key=f"user:{number}", limit=9, rolling_s=60)
        book.record(Ask(rates=(claim,), budgets=(budget,), worst=(1,)), "lease", 1)
    assert (len(book._rates), len(book._budgets), len(book._calls)) == (3, 3, 1)


def test_the_next_outage_shares_what_this_one_left() -> None:
    """Before Redis says anything."""

    async def scenario() -> None:
        here, last_states = Outage(), LastStates()
        rates = (RateState(claim=RATE, remaining=10, reset_s=9), RateState(claim=TOKENS, remaining=500, reset_s=9))
        last_states.record(rates, (), 990)
        await here.settle(await here.admit(), cost=30, tokens=20)
        await here.admit()
        for report in here.close()[0]:
            last_states.subtract(report)
        share = local_ask(ASK, 1, last_states, None, at=1001)
        assert [claim.limit for claim in share.rates] == [8, 480]

    asyncio.run(scenario())


@pytest.mark.parametrize("claim", [DAY, ROLLING], ids=["calendar", "rolling"])
def test_an_older_state_of_redis_is_noticed_at_the_first_answer(redis_server: RedisServer, claim: BudgetClaim) -> None:
    """As after a restart from a snapshot: both workers restore what they remember, and nothing counts twice."""

    async def scenario() -> None:
        bench, raw = RedisBench(redis_server), redis.Redis.from_url(redis_server.url)
        one, two = bench.gate(), bench.gate()

        async def spend(gate: object, cost: int, key: str = "user:ann") -> BudgetState:
            rate = RateClaim(policy="user", key=key, limit=1000, window_s=3600)
            entry = await gate.enter(Ask(rates=(rate,), budgets=(claim,), worst=(cost,)))  # type: ignore[attr-defined]
            assert isinstance(entry.verdict, Lead)
            (state,) = await gate.leave(  # type: ignore[attr-defined]
                Settlement(key=None, lease=entry.verdict.lease, cost=cost, budgets=(claim,))
            )
            assert isinstance(state, BudgetState)
            return state

        await spend(one, 10)
        await spend(two, 10)
        snapshot = {name: raw.dump(name) for name in raw.scan_iter(f"{{{bench.prefix}}}:*")}
        for _ in range(5):
            await spend(one, 10)
        assert (await spend(two, 10)).spent == 80
        raw.delete(*raw.scan_iter(f"{{{bench.prefix}}}:*"))
        for name, value in snapshot.items():
            raw.restore(name, 100_000_000, value)
        # Noticed by this one, which is admitted still; then what either remembers is in the account again.
        await spend(one, 1)
        after = [(await spend(gate, 1)).spent for gate in (two, one, two, one)]
        assert 80 <= after[0] <= 82
        assert after[-1] <= 85
        await one.close()
        await two.close()
        bench.close()
        raw.close()

    asyncio.run(scenario())
