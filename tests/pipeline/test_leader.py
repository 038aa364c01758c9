"""A call made here: once for all who ask, and for as long as anybody listens."""

from __future__ import annotations

import asyncio

from tests.pipeline.world import CHEAP, World, run
from turnout.openai.requests import from_call
from turnout.records import Outcome
from turnout.testing import Says, settle


def test_equal_requests_in_flight_are_one_call() -> None:
    """A hundred callers, one call; the first one pays, the others are told as collapsed."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("slow", after_s=1))
        asks = [asyncio.ensure_future(w.turnout.completed(from_call("x", stream=False, params={}), w.context()))
                for _ in range(100)]  # fmt: skip
        await w.clock.run(asyncio.gather(*asks))
        outcomes: list[Outcome] = [ask.result().outcome for ask in asks]
        assert w.provider.calls.total() == 1
        assert sorted(o.cache for o in outcomes) == ["collapsed"] * 99 + ["miss_stored"]
        assert sum(1 for o in outcomes if o.cost_usd) == 1

    run(scenario)


def test_a_flight_outlives_its_first_caller_and_ends_with_its_last() -> None:
    """Whoever leaves, the call goes on for the others; when the last has left it is cancelled."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("slow", after_s=10))
        first, second = (
            asyncio.ensure_future(w.turnout.completed(from_call("x", stream=False, params={}), w.context()))
            for _ in range(2)
        )
        await settle()
        first.cancel()
        await settle()
        assert w.provider.open == 1
        await w.clock.run(second)
        assert second.result().text == "slow"
        third = asyncio.ensure_future(w.turnout.completed(from_call("y", stream=False, params={}), w.context()))
        await settle()
        third.cancel()
        await settle()
        assert w.provider.open == 0

    run(scenario)
