"""Conversations through the pipeline: known, kept, left, and whose they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.pipeline.turns import LONG, MODELS, PRICES, turn, usage
from tests.pipeline.world import CHEAP, DEAR, SPARE, World, run
from tests.support.redis_server import RedisServer
from turnout.asgi import TurnoutMiddleware
from turnout.attempt_errors import ProviderFailed
from turnout.openai.requests import from_call
from turnout.testing import FixedScorer, Says, ScriptedProvider
from turnout.turnout import Turnout


def test_a_long_conversation_stays_with_its_model() -> None:
    """An easy turn after a hard one stays expensive: its cache is warm. The decision says what leaving was estimated
    to cost."""

    async def scenario(w: World) -> None:
        first = await turn(w, "hard one")
        second = await turn(w, "easy two")
        assert (first.tier, first.reason) == ("expensive", "scored")
        assert (second.tier, second.model, second.reason) == ("expensive", DEAR, "sticky")
        assert second.decision.switch_usd > 0
        assert (await turn(w, "easy three", session="other")).reason == "scored"

    run(scenario, models=MODELS)


def test_after_its_cache_is_cold_it_may_go_down() -> None:
    """An idle gap longer than the provider keeps the prompt."""

    async def scenario(w: World) -> None:
        await turn(w, "hard one")
        await w.clock.advance(301)
        left = await turn(w, "easy two")
        assert (left.tier, left.reason) == ("cheap", "sticky_left")

    run(scenario, models=MODELS)


def test_a_models_section_says_how_long_its_cache_lives() -> None:
    """In place of what its provider documents."""

    async def scenario(w: World) -> None:
        await turn(w, "hard one")
        await w.clock.advance(301)
        assert (await turn(w, "easy two")).reason == "sticky"

    run(scenario, models={**MODELS, DEAR: {**MODELS[DEAR], "prompt_cache_ttl_s": 600}})


def test_a_short_conversation_has_no_cache_to_lose() -> None:
    """Below the least that a provider caches, each turn goes by its score."""

    async def scenario(w: World) -> None:
        assert (await turn(w, "hard one", tokens=100)).tier == "expensive"
        down = await turn(w, "easy two", tokens=100)
        assert (down.tier, down.reason) == ("cheap", "sticky_left")

    run(scenario, models=MODELS)


def test_a_hard_turn_goes_up_only_where_that_pays() -> None:
    """Not in a long warm conversation."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        stayed = await turn(w, "hard two")
        assert (stayed.tier, stayed.reason) == ("cheap", "sticky")
        assert stayed.decision.switch_usd > stayed.decision.switch_gain_usd

    run(scenario, models=MODELS)


class _GainScorer(FixedScorer):
    """One whose gains are those of training logs."""

    def gain_at(self, score: float) -> float:
        return score - 0.5


_SCORES = {"hard": 0.9, "middling": 0.45}


async def _small_turn(w: World, text: str, extension: dict[str, Any] | None = None, *, session: str = "small") -> Any:
    """A turn of a conversation of 2,000 tokens."""
    for model in (CHEAP, DEAR):
        w.provider.say(model, Says("ok", usage=usage(2_000)))
    asked = from_call(f"{text} {'context ' * 1_000}", stream=False, params={})
    request = replace(asked, extension=extension or {})
    work = asyncio.ensure_future(w.turnout.completed(request, replace(w.context("ann"), session_id=session)))
    await w.clock.run(work)
    return work.result().outcome


def test_a_turn_just_below_the_threshold_goes_up_where_that_costs_little() -> None:
    """The threshold's gain is worth what a mean request costs more; of a conversation that costs a twentieth, less gain
    pays. Where nothing is to gain, it stays."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        first = await _small_turn(w, "middling one")
        assert (first.tier, first.reason) == ("cheap", "scored")
        stayed = await _small_turn(w, "easy two")
        assert (stayed.tier, stayed.reason) == ("cheap", "scored")
        left = await _small_turn(w, "middling three")
        assert (left.tier, left.model, left.reason) == ("expensive", DEAR, "sticky_left")
        assert 0 < left.decision.switch_usd < left.decision.switch_gain_usd
        long = await turn(w, "middling four")
        assert (long.tier, long.reason) == ("cheap", "scored")

    run(scenario, models=MODELS, scorer=_GainScorer(0.1, scores=_SCORES))


@pytest.mark.parametrize("gains", [True, False])
def test_a_turn_below_the_threshold_stays_down_where_nobody_knows_gains_or_the_caller_says_so(gains: bool) -> None:
    """A caller's own threshold can only spend less; a score alone is no gain."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        for number in range(3):
            served = await _small_turn(w, f"middling {number}", {"threshold": 0.6} if gains else None)
            assert (served.tier, served.reason) == ("cheap", "scored")

    run(scenario, models=MODELS, scorer=(_GainScorer if gains else FixedScorer)(0.1, scores=_SCORES))


@pytest.mark.parametrize(
    "sections",
    [
        {"routing": {"max_expensive_share": 0.0}},
        {"routing": {"threshold": 1.0}},
        {"routing": {"threshold": 0.9}, "budgets": {"total": "2/day", "pacing": True}},
    ],
)
def test_nothing_goes_up_where_no_score_is_enough_or_spend_runs_ahead(sections: dict[str, Any]) -> None:
    """Not even a turn that would cost little there."""

    async def scenario(w: World) -> None:
        # The day has just begun: whatever is spent is spent ahead.
        await w.clock.advance(86_400 - w.clock.time() % 86_400 + 1)
        await turn(w, "easy one")
        assert [(await _small_turn(w, f"middling {number}")).tier for number in range(5)] == ["cheap"] * 5

    scorer = _GainScorer(0.1, scores={"middling": 0.8})
    run(scenario, models=MODELS, scorer=scorer, cache={"enabled": False}, **sections)


def test_a_failed_model_is_left_at_once() -> None:
    """The conversation goes on with whom it fell back to, while that is warm."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        w.provider.say(CHEAP, *[ProviderFailed("down")] * 3, Says("ok", prompt_tokens=40_000))
        assert (await turn(w, "easy two")).model == SPARE
        third = await turn(w, "easy three")
        assert (third.model, third.reason) == (SPARE, "sticky")

    run(scenario, models=MODELS)


def test_known_by_its_beginning_for_a_known_user_only() -> None:
    """And another user's same beginning, or the same id, is another conversation."""

    async def scenario(w: World) -> None:
        await turn(w, "hard one", session="", history=0)
        second = await turn(w, "easy two", session="", history=0)
        assert second.reason == "scored"
        await turn(w, "hard three", session="x")
        assert (await turn(w, "easy four", session="x", user="bob")).reason == "scored"
        await turn(w, "hard five", session="", user="anonymous")
        assert (await turn(w, "easy six", session="", user="anonymous")).reason == "scored"

    run(scenario, models=MODELS)


def test_a_tools_result_stays_with_the_loops_model() -> None:
    """Whatever its text would score."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        messages = [
            {"role": "user", "content": "easy one"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {}}]},
            {"role": "tool", "tool_call_id": "1", "content": "hard"},
        ]
        request = from_call(messages, stream=False, params={})
        work = asyncio.ensure_future(w.turnout.completed(request, replace(w.context(), session_id="s")))
        await w.clock.run(work)
        assert (work.result().outcome.tier, work.result().outcome.reason) == ("cheap", "sticky")

    run(scenario, models=MODELS)


def test_purging_a_user_forgets_its_conversations() -> None:
    """The next turn goes by its score."""

    async def scenario(w: World) -> None:
        await turn(w, "hard one")
        await w.turnout.purge(user="ann")
        assert (await turn(w, "easy two")).reason == "scored"

    run(scenario, models=MODELS)


def test_stickiness_can_be_switched_off() -> None:
    """Then each turn goes by its score."""

    async def scenario(w: World) -> None:
        await turn(w, "hard one")
        assert (await turn(w, "easy two")).reason == "scored"

    run(scenario, models=MODELS, routing={"threshold": 0.5, "conversation": {"sticky": False}})


def test_the_share_holds_over_sticky_requests_too() -> None:
    """Conversations of ten turns, each easy or hard by chance: off by at most 2 x (6 + 1) calls in any stretch."""

    async def scenario(w: World) -> None:
        served = []
        for number in range(500):
            session = f"s{number % 25 + 25 * (number // 250)}"
            text = f"{'hard' if (number * 7919) % 10 < 4 else 'easy'} {number}"
            served.append((await turn(w, text, session=session)).tier == "expensive")
        assert abs(sum(served) - 0.3 * 500) <= 14

    run(scenario, models=MODELS, routing={"max_expensive_share": 0.3}, cache={"enabled": False})


def test_no_conversation_goes_up_beyond_the_share_for_what_it_would_gain() -> None:
    """Small ones that each turn would pay for: six calls beyond the share at most."""

    async def scenario(w: World) -> None:
        await turn(w, "easy one")
        served = []
        for number in range(80):
            text = f"{'middling' if number % 2 else 'upper'} {number}"
            served.append((await _small_turn(w, text, session=f"s{number % 8}")).tier == "expensive")
        assert 6 < sum(served) <= 0.2 * 80 + 7

    scorer = _GainScorer(0.1, scores={"middling": 0.9, "upper": 0.95})
    run(scenario, models=MODELS, scorer=scorer, routing={"max_expensive_share": 0.2}, cache={"enabled": False})


def test_ids_are_ours_and_not_sent_on() -> None:
    """In their place goes a key of ours, the same for the same conversation and another for another user."""

    async def scenario(w: World) -> None:
        for user in ("ann", "ann", "bob"):
            params = {"prompt_cache_key": "secret", "metadata": {"session_id": "x"}}
            await w.ask(f"easy {user} {len(w.provider.seen)}", user=user, params=params)
        sent = [call.params for call in w.provider.seen]
        assert all(params["extra_body"].keys() == {"prompt_cache_key"} for params in sent)
        keys = [params["extra_body"]["prompt_cache_key"] for params in sent]
        assert keys[0] == keys[1] != keys[2]
        assert "secret" not in keys

    run(scenario)


def body(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": text}]}


def test_two_workers_share_a_conversation_through_redis(redis_server: RedisServer) -> None:
    """By the header, over HTTP, told in the headers of the answer; `purge` takes it."""

    async def main() -> None:
        config = {
            "tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}},
            "models": {name: MODELS[name] for name in (CHEAP, DEAR)},
            "routing": {"threshold": 0.5},
            "identity": {"user_header": "x-user-id"},
            "redis": {"url": redis_server.url, "prefix": "conversations", "timeout_s": 5.0},
        }
        provider = ScriptedProvider({name: [Says("ok", prompt_tokens=40_000)] for name in (CHEAP, DEAR)})
        scorer = FixedScorer(0.1, scores={"hard": 0.9})
        headers = {"x-user-id": "ann", "x-session-id": "one"}

        async def ask(t: Turnout, text: str) -> httpx.Headers:
            app: Any = TurnoutMiddleware(Starlette(), turnout=t)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                reply = await client.post("/v1/chat/completions", json=body(text), headers=headers)
            assert reply.status_code == 200, reply.text
            # The gate is left after the answer is out.
            await asyncio.sleep(0)
            return reply.headers

        async with Turnout(config, provider=provider, scorer=scorer) as first:
            assert (await ask(first, "hard"))["x-turnout-reason"] == "scored"
        async with Turnout(config, provider=provider, scorer=scorer) as second:
            stayed = await ask(second, "easy")
            assert (stayed["x-turnout-tier"], stayed["x-turnout-reason"]) == ("expensive", "sticky")
            assert float(stayed["x-turnout-switch-cost-usd"]) > 0
            await second.purge(user="ann")
            assert (await ask(second, "easy again"))["x-turnout-reason"] == "scored"

    asyncio.run(main())


@pytest.mark.parametrize("fields", [["messages"], ["temperature"], [""], ["turnout"]])
def test_a_field_with_a_meaning_of_its_own_names_no_conversation(fields: list[str]) -> None:
    """Refused at start."""
    from turnout.errors import SettingsError
    from turnout.settings import Settings

    tiers = {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}}
    with pytest.raises(SettingsError, match=r"routing\.conversation\.fields"):
        Settings.from_mapping({"tiers": tiers, "routing": {"conversation": {"fields": fields}}})


def test_a_sticky_models_own_worst_case_is_reserved() -> None:
    """A conversation that stays with a dearer model than its tier's first holds that model's worst case."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, *[ProviderFailed("down")] * 3, Says("ok", usage=usage(40_000)))
        assert (await turn(w, "easy one")).model == SPARE
        # 160,000 bytes and 60,000 more, at 100 USD a million: more than the budget.
        outcome = await turn(w, "easy " + "x" * 60_000)
        assert (outcome.model, [(skip.model, skip.reason) for skip in outcome.skipped]) == (CHEAP, [(SPARE, "budget")])

    run(scenario, models={**MODELS, SPARE: {**PRICES, "input_usd_per_million": 100}}, budgets={"total": "20/day"})


def test_prompt_cache_marks_what_anthropic_is_to_keep() -> None:
    """Only where the model's section says so."""

    async def main(*, on: bool) -> bool:
        claude = "anthropic/claude-sonnet-4-5"
        config = {
            "tiers": {"cheap": {"models": [claude]}, "expensive": {"models": [DEAR]}},
            "models": {claude: {"prompt_cache": on}},
            "routing": {"threshold": 0.5},
        }
        provider = ScriptedProvider()
        async with Turnout(config, provider=provider, scorer=FixedScorer(0.1)) as t:
            await t.complete([{"role": "system", "content": "S"}, {"role": "user", "content": "q"}])
        return "cache_control" in str(provider.seen[0].messages)

    assert asyncio.run(main(on=True))
    assert not asyncio.run(main(on=False))


def test_tools_are_sent_in_a_stable_order_where_prompts_are_cached() -> None:
    """Only where the model's section says so: elsewhere as the caller lists them."""
    tools = [{"type": "function", "function": {"name": name}} for name in ("b", "a")]

    async def main(*, on: bool) -> list[str]:
        config = {
            "tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}},
            "models": {CHEAP: {"prompt_cache": on}},
            "routing": {"threshold": 0.5},
        }
        provider = ScriptedProvider()
        async with Turnout(config, provider=provider, scorer=FixedScorer(0.1)) as t:
            await t.complete("q", tools=tools)
        return [tool["function"]["name"] for tool in provider.seen[0].params["tools"]]

    assert asyncio.run(main(on=True)) == ["a", "b"]
    assert asyncio.run(main(on=False)) == ["b", "a"]


def test_a_conversation_stays_with_its_server_of_those_that_share_a_load() -> None:
    """Its cache is there; another conversation goes to the other."""
    entries = [{"model": CHEAP, "name": name, "weight": 1} for name in ("one", "two")]

    async def scenario(w: World) -> None:
        for name in ("one", "two"):
            w.provider.say(name, Says("ok", usage=usage(40_000)))
        mine = [(await turn(w, f"easy {number}")).model for number in range(4)]
        assert len(set(mine)) == 1
        others = {(await turn(w, f"easy o{number}", session=f"o{number}")).model for number in range(4)}
        assert others == {"one", "two"}

    tiers = {"cheap": {"models": entries}, "expensive": {"models": [DEAR]}}
    run(scenario, tiers=tiers, models={CHEAP: dict(PRICES), DEAR: MODELS[DEAR]})
