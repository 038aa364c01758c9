"""A Redis that is emptied while its connections stay open is told at the first answer what it had said before."""

from __future__ import annotations

import asyncio

import pytest
import redis

from tests.stores.contract.conftest import RedisBench
from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetRefused, RateClaim

CLAIMS = [
    BudgetClaim(policy="total", key="total", limit=1000, rolling_s=4096),
    BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 4_000_000_000),)),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=["rolling", "calendar"])
def test_what_was_spent_is_told_at_the_first_answer(redis_server: RedisServer, claim: BudgetClaim) -> None:
    """One more is admitted, by which it is noticed; the budget and the limit do not begin anew."""

    async def scenario() -> None:
        bench, names = RedisBench(redis_server), redis.Redis.from_url(redis_server.url)
        gate = bench.gate()
        rate = RateClaim(policy="user", key="ann", limit=10, window_s=3600)
        ask = Ask(rates=(rate,), budgets=(claim,), worst=(100,))
        for _ in range(8):
            verdict = (await gate.enter(ask)).verdict
            assert isinstance(verdict, Lead)
            await gate.leave(Settlement(key=None, lease=verdict.lease, cost=100))
        assert gate.last_states.budgets[0].spent + gate.last_states.budgets[0].reserved == 800
        for name in names.scan_iter(f"{{{bench.prefix}}}:*"):
            names.delete(name)
        assert isinstance((await gate.enter(ask)).verdict, Lead)
        entry = await gate.enter(ask)
        assert entry.rates[0].remaining == 0
        assert isinstance(entry.verdict, Lead)
        assert isinstance((await gate.enter(Ask(budgets=(claim,), worst=(100,)))).verdict, BudgetRefused)
        await gate.close()
        bench.close()
        names.close()

    asyncio.run(scenario())
