"""A cascade through the pipeline: verified, escalated, and what is served, paid and left where it comes to nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.pipeline.cascade_world import models_of, run, world
from tests.pipeline.turns import MODELS, turn, usage
from tests.pipeline.world import CHEAP, DEAR, SPARE, World
from tests.support.fixed_verifier import RIGHT, WRONG, VerifyingScorer
from turnout.attempt_errors import ProviderFailed
from turnout.errors import SettingsError
from turnout.openai.requests import from_call
from turnout.testing import Hangs, Says


def test_a_good_answer_is_verified_and_a_doubtful_one_asked_again() -> None:
    """Whatever the question's score; both calls are attempts of one request, and both are paid."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        good = await w.ask("hard one")
        assert (good.text, good.outcome.reason, good.outcome.tier) == (RIGHT, "verified", "cheap")
        assert good.outcome.decision.verdict == "accepted"
        w.provider.say(CHEAP, Says(WRONG))
        bad = await w.ask("easy two")
        assert (bad.text, bad.outcome.reason, bad.outcome.tier) == ("dear", "escalated", "expensive")
        assert bad.outcome.model == DEAR
        assert models_of(bad.outcome) == [CHEAP, DEAR]
        assert bad.outcome.cost_usd == sum(attempt.cost_usd for attempt in bad.outcome.attempts)
        assert all(attempt.cost_usd > 0 for attempt in bad.outcome.attempts)
        decision = bad.outcome.decision
        assert (decision.verdict, decision.verdict_score, decision.verdict_threshold) == ("rejected", 0.9, 0.5)
        assert decision.escalation_propensity == 1.0
        hit = await w.ask("easy two")
        assert (hit.text, hit.outcome.reason, hit.outcome.cache) == ("dear", "cache", "hit")

    run(scenario)


def test_three_ways() -> None:
    """A question may go straight to either tier; then nothing is verified."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        straight = await w.ask("straight")
        assert (straight.text, straight.outcome.reason, models_of(straight.outcome)) == ("dear", "scored", [DEAR])
        trivial = await w.ask("trivial")
        assert (trivial.text, trivial.outcome.reason, models_of(trivial.outcome)) == (WRONG, "scored", [CHEAP])
        assert trivial.outcome.decision.verdict is None

    run(scenario)


@pytest.mark.parametrize("step", [ProviderFailed("down"), Hangs()])
def test_where_the_second_call_fails_the_cheap_answer_is_served(step: Any) -> None:
    """Within the request's one deadline, with the usage of the answer that is served."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG, completion_tokens=7))
        w.provider.say(DEAR, step)
        served = await w.ask("easy")
        assert (served.text, served.outcome.reason, served.outcome.tier) == (WRONG, "cascade_fallback", "cheap")
        assert served.usage.completion_tokens == 7
        assert served.outcome.decision.verdict == "rejected"
        # A caller's own deadline ends the second call in time to be answered.
        sooner = await w.ask("easy, and soon", deadline_s=2.0)
        assert (sooner.text, sooner.outcome.reason) == (WRONG, "cascade_fallback")

    run(scenario, retry={"attempts": 1, "deadline_s": 20.0})


def test_a_budget_without_room_serves_the_cheap_answer() -> None:
    """Its worst case is topped up for the second call; what does not fit is not spent, and nothing stays reserved."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        poor = await w.ask("easy")
        assert (poor.text, poor.outcome.reason, poor.outcome.tier) == (WRONG, "budget", "cheap")
        assert models_of(poor.outcome) == [CHEAP]
        # What was reserved is given back: the same fits again and again.
        for number in range(5):
            assert (await w.ask(f"easy {number}")).outcome.reason == "budget"

    run(scenario, budgets={"total": "0.02/day", "default_max_output_tokens": 1000, "on_exhausted": "cheap"})


def test_a_budget_with_room_pays_both_calls() -> None:
    """And is charged what they cost."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        rich = await w.ask("easy")
        assert rich.outcome.reason == "escalated"

    run(scenario, budgets={"total": "0.2/day", "default_max_output_tokens": 1000})


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"n": 2}, "easy"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "easy"),
        ({"model": "cheap"}, "easy"),
    ],
)
def test_no_cascade_for(params: dict[str, Any], text: str) -> None:
    """Several choices, tools, a forced tier: routed as without one."""
    scorer = VerifyingScorer()

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        answered = await w.ask(text, params=params)
        assert models_of(answered.outcome) == [CHEAP]
        assert answered.outcome.decision.verdict is None

    run(scenario, scorer)
    assert scorer.verifier.asked == []


@pytest.mark.parametrize(("tokens", "reason"), [(40_000, "verified"), (100, "escalated")])
def test_in_a_warm_conversation_a_second_call_is_priced_at_a_cold_cache(tokens: int, reason: str) -> None:
    """What a doubtful answer is worth elsewhere does not pay for 40,000 tokens that the other model reads anew."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("right", usage=usage(tokens)), Says("wrong", usage=usage(tokens)))
        first = await turn(w, "one", tokens=tokens)
        second = await turn(w, "two", tokens=tokens)
        assert (first.reason, second.reason) == ("verified", reason)
        assert second.decision.verdict == ("accepted" if reason == "verified" else "rejected")

    run(scenario, routing={"threshold": 0.8}, models=MODELS)


def test_shadow_says_what_it_thinks_and_changes_nothing() -> None:
    """The question decides, the verdict stands beside it."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        shadowed = await w.ask("easy")
        assert (shadowed.text, shadowed.outcome.reason) == (WRONG, "scored")
        assert shadowed.outcome.decision.verdict == "rejected"
        assert shadowed.outcome.decision.escalation_propensity == 0.0
        hard = await w.ask("hard")
        assert (hard.text, models_of(hard.outcome), hard.outcome.decision.verdict) == ("dear", [DEAR], None)

    run(scenario, mode="shadow")


@pytest.mark.parametrize("mode", ["on", "shadow"])
def test_one_accepted_answer_in_a_hundred_is_asked_again(mode: str) -> None:
    """By chance, and its propensity stands beside it: else the logs would tell of doubted answers alone."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        explored = await w.ask("easy")
        assert (explored.text, explored.outcome.reason) == ("dear", "escalated")
        decision = explored.outcome.decision
        assert (decision.verdict, decision.escalation_propensity) == ("accepted", 0.01)

    run(scenario, mode=mode, chance=0.009)


def test_streams_are_skipped_or_held() -> None:
    """Skipped: by the question, at once. Held: one answer whole, never parts of two."""

    async def skipped(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        assert await w.read(await w.open_stream("easy")) == WRONG

    async def held(w: World) -> None:
        w.provider.say(CHEAP, Says(f"{RIGHT} it is"))
        stream = await w.open_stream("easy")
        assert await w.read(stream) == f"{RIGHT} it is"
        assert stream.outcome.reason == "verified"
        w.provider.say(CHEAP, Says(f"{WRONG} it is"))
        stream = await w.open_stream("easy two")
        assert await w.read(stream) == "dear"
        assert (stream.outcome.reason, models_of(stream.outcome)) == ("escalated", [CHEAP, DEAR])
        w.provider.say(DEAR, ProviderFailed("down"))
        stream = await w.open_stream("easy three")
        assert await w.read(stream) == f"{WRONG} it is"
        assert stream.outcome.reason == "cascade_fallback"

    run(skipped)
    run(held, cascade={"streams": "hold"})


def test_a_cheap_tier_that_is_down_leaves_what_the_question_said() -> None:
    """Hard: the expensive tier answers. Easy: as without a cascade, an error."""

    async def scenario(w: World) -> None:
        for model in (CHEAP, SPARE):
            w.provider.say(model, ProviderFailed("down"))
        hard = await w.ask("hard")
        assert (hard.text, hard.outcome.tier) == ("dear", "expensive")

    run(scenario)


def test_another_cheap_model_s_answer_is_not_judged() -> None:
    """The verifier knows the faults of one model: the question decides on the others'."""
    scorer = VerifyingScorer()

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"))
        w.provider.say(SPARE, Says(WRONG))
        easy = await w.ask("easy")
        assert (easy.text, easy.outcome.model, easy.outcome.decision.verdict) == (WRONG, SPARE, None)
        hard = await w.ask("hard")
        assert (hard.text, hard.outcome.tier) == ("dear", "expensive")

    run(scenario, scorer)
    assert scorer.verifier.asked == []


def test_no_more_than_the_held_share_waits() -> None:
    """With a share of 0 nobody does: the question decides."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        assert models_of((await w.ask("easy")).outcome) == [CHEAP]
        assert models_of((await w.ask("hard")).outcome) == [DEAR]

    run(scenario, cascade={"max_held_share": 0.0})


def test_a_share_of_expensive_calls_is_kept_over_answers() -> None:
    """Asked for a third, of answers that are all doubted no more than about a third is asked again."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        tiers = [(await w.ask(f"easy {number}")).outcome.tier for number in range(90)]
        assert 0.2 < tiers.count("expensive") / 90 < 0.45

    run(scenario, routing={"max_expensive_share": 0.33}, cascade={"max_held_share": 1.0})


def test_a_caller_who_leaves_leaves_nothing() -> None:
    """During either call: no call goes on, nothing stays reserved."""

    async def scenario(w: World) -> None:
        for cheap, dear in ((Hangs(), Says("dear")), (Says(WRONG), Hangs())):
            w.provider.say(CHEAP, cheap)
            w.provider.say(DEAR, dear)
            request = from_call("easy", stream=False, params={})
            work = asyncio.ensure_future(w.turnout.completed(request, w.context()))
            for _ in range(20):
                await asyncio.sleep(0)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            for _ in range(20):
                await asyncio.sleep(0)
            assert w.provider.open == 0

    run(scenario, budgets={"total": "0.2/day"})


def settings_error(scorer: Any, **cascade: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        world(scorer, cascade=cascade)
    return str(caught.value)


def test_what_cannot_be_served_is_refused_at_start(caplog: pytest.LogCaptureFixture) -> None:
    """No verifier, another model's verifier, one that knows no pairs; a refused one is warned of and not acted on."""
    bare = VerifyingScorer()
    del bare.verifier
    assert "turnout train --cascade" in settings_error(bare)
    assert "openai/other" in settings_error(VerifyingScorer(cheap_model="openai/other"))
    alone = settings_error(VerifyingScorer(opinion=False, cheap_model=CHEAP), second_sample="auto")
    assert "second_sample" in alone
    assert "second cheap answers" in alone
    assert "mode" in settings_error(None, mode="always")
    world(VerifyingScorer(cheap_model=CHEAP))
    assert caplog.text == ""
    world()
    assert "does not say whose answers" in caplog.text

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        assert models_of((await w.ask("easy")).outcome) == [CHEAP]

    run(scenario, VerifyingScorer(refused="it adds nothing"))
    assert "it adds nothing" in caplog.text
