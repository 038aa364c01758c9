"""A call made here: decided, made once for all who listen, for as long as anybody does."""

from __future__ import annotations

import asyncio

from tests.pipeline.world import CHEAP, World, run
from tests.routing.test_router import CATALOG
from turnout.context import Caller, RequestContext
from turnout.openai.requests import from_call
from turnout.pipeline.leader import decide
from turnout.records import Outcome
from turnout.routing.router import Router
from turnout.testing import FixedScorer, Says, settle


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


def test_the_endpoint_stands_for_a_tag_that_the_scorer_does_not_know() -> None:
    """A word that the app made up later does not make it forget where the request came from."""
    scorer = FixedScorer(0.1, novel=True, tag_scores={"/ask": 0.9, "mine": 0.2})
    router = Router(catalog=CATALOG, scorer=scorer, target=0.5)
    context = RequestContext(request_id="r", started=0.0, caller=Caller(endpoint="/ask"))
    collected = {}
    for tag in ("mine", "new", ""):
        request = from_call("x", stream=False, params={"tag": tag} if tag else {})
        decision = decide(router, request, CATALOG.find("auto"), context)
        collected[tag] = (decision.score, decision.tag)
    assert collected == {"mine": (0.2, "mine"), "new": (0.9, "new"), "": (0.9, "/ask")}
