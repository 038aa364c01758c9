"""Whoever follows a call that ends for its leader's own reasons makes the call for itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from turnout.attempt_errors import CallerFault
from turnout.errors import BudgetExceeded, BudgetUnavailable, InvalidRequest, NoRoomYet
from turnout.openai.requests import from_call
from turnout.testing import Says, settle

DEARER = {"input_usd_per_million": 10, "output_usd_per_million": 100}


@pytest.mark.parametrize("error", [BudgetExceeded, BudgetUnavailable])
def test_a_leader_whose_budget_does_not_reach_is_refused_alone(error: type[Exception]) -> None:
    """Whether it is used up, or cannot be read at the moment: the follower's own budget pays for the follower's."""

    async def unreadable(*_: Any) -> bool:
        raise BudgetUnavailable("the budgets cannot be read at the moment")

    async def scenario(w: World) -> None:
        # Of ann's budget less is left than the worst case of another one.
        w.provider.say(DEAR, Says("word " * 900), "dear")
        await w.ask("hard one", user="ann")
        if error is BudgetUnavailable:
            gate: Any = w.turnout._stores.gate
            gate.top_up = unreadable
        leader = asyncio.ensure_future(w.ask("hard two", user="ann"))
        follower = asyncio.ensure_future(w.ask("hard two", user="bob"))
        with pytest.raises(error):
            await leader
        assert (await follower).text == "dear"
        assert w.provider.calls[DEAR] == 2

    models = {CHEAP: PRICES, SPARE: PRICES, DEAR: DEARER}
    run(scenario, models=models, cache={"scope": "app"}, budgets={"per_user": "0.15/day"})


def test_a_parameter_that_shapes_no_answer_is_refused_to_whoever_sent_it() -> None:
    """It is no part of the cache key, so whoever follows never sent it."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(after_s=1, breaks=CallerFault("a value of metadata is too long", param="metadata")))
        w.provider.say(SPARE, "served")
        leader = asyncio.ensure_future(w.ask(params={"metadata": {"a": "b" * 1000}}))
        await settle()
        follower = asyncio.ensure_future(w.ask())
        with pytest.raises(InvalidRequest, match="metadata"):
            await leader
        assert (await follower).text == "served"

    run(scenario)


class Job:
    """A job that may call any model."""

    async def hold(self, model: str, most: int) -> bool:
        return True


def test_a_request_that_follows_a_job_does_not_go_back_to_the_queue_with_it() -> None:
    """It waits for its place at the busy model, as it would have without the job."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(after_s=30), "served")

        async def begin(text: str, job: Job | None = None) -> asyncio.Task[Any]:
            request = from_call(text, stream=False, params={})
            work = asyncio.ensure_future(w.turnout.completed(request, replace(w.context(), job=job)))
            await settle()
            return work

        works = [await begin("another"), await begin("same", Job()), await begin("same")]
        await w.clock.run(asyncio.gather(*works, return_exceptions=True))
        busy, leader, follower = works
        assert isinstance(leader.exception(), NoRoomYet)
        assert (busy.result().text, follower.result().text) == ("ok", "served")

    run(scenario, models={CHEAP: {**PRICES, "max_concurrency": 1}, SPARE: PRICES, DEAR: PRICES})
