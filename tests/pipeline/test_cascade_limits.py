"""A cascade keeps what holds without it: budgets, shares, abilities, fallbacks, conversations, and other callers'."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.pipeline.cascade_world import DEARER, models_of, run
from tests.pipeline.test_own_call import Job
from tests.pipeline.test_reservation import book
from tests.pipeline.turns import MODELS, turn, usage
from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World
from tests.support.fixed_verifier import RIGHT, WRONG, VerifyingScorer
from turnout import attempt_errors
from turnout.attempt_errors import AttemptError, ProviderFailed
from turnout.errors import NoRoomYet, Overloaded
from turnout.openai.requests import from_call
from turnout.testing import Hangs, Says, settle

OLD, NEW = "openai/gpt-3.5-turbo", "openai/gpt-4o"
OLD_AND_NEW = {
    "tiers": {"cheap": {"models": [OLD]}, "expensive": {"models": [NEW]}},
    "models": {OLD: dict(PRICES), NEW: dict(DEARER)},
}


def begin(w: World, text: str, **directives: Any) -> Any:
    request = from_call(text, stream=False, params={})
    return asyncio.ensure_future(w.turnout.completed(request, w.context(**directives)))


def test_a_straight_way_that_no_budget_allows_goes_to_the_cheap_tier() -> None:
    """What was not reserved is not spent."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        for number in range(3):
            outcome = (await w.ask(f"straight {number}")).outcome
            assert (outcome.reason, outcome.tier, models_of(outcome)) == ("budget", "cheap", [CHEAP])
        assert book(w).spent < 0.001 * 10**9

    run(scenario, budgets={"total": "0.02/day", "default_max_output_tokens": 1000, "on_exhausted": "cheap"})


@pytest.mark.parametrize("routing", [{"max_expensive_share": 0.33}, {}])
def test_in_shadow_a_share_is_judged_as_if_it_were_kept(routing: dict[str, Any]) -> None:
    """Of answers that are all as good, so many are doubted as the share has room for, not ever more."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        verdicts = [(await w.ask(f"trivial {number}")).outcome.decision.verdict for number in range(120)]
        read = [verdict for verdict in verdicts if verdict is not None]
        assert 0.15 * len(read) < read.count("rejected") < 0.5 * len(read)

    run(scenario, mode="shadow", routing=routing)


@pytest.mark.parametrize(
    "params", [{"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}]
)
def test_a_model_that_lacks_what_a_request_needs_is_not_asked_first(params: dict[str, Any]) -> None:
    """The question's decision stands."""

    async def scenario(w: World) -> None:
        w.provider.say(OLD, Says(RIGHT))
        w.provider.say(NEW, Says("dear"))
        assert models_of((await w.ask("hard", params=params)).outcome) == [NEW]

    run(scenario, **OLD_AND_NEW)


@pytest.mark.parametrize("name", ["Unsupported", "ContextTooLong", "UnclearRefusal", "CallerFault"])
def test_what_the_cheap_tier_refuses_the_expensive_one_is_asked_where_the_question_says_so(name: str) -> None:
    """As it would be without a cascade."""

    async def scenario(w: World) -> None:
        error: type[AttemptError] = getattr(attempt_errors, name)
        for model in (CHEAP, SPARE):
            w.provider.say(model, error("no"))
        outcome = (await w.ask("hard")).outcome
        assert (outcome.tier, outcome.reason) == ("expensive", "scored")

    run(scenario)


def test_the_other_tier_stands_by_as_without_a_cascade() -> None:
    """Either way, where [fallback] other_tier allows it; an expensive answer that stood in is not asked for again."""

    async def down(w: World) -> None:
        w.provider.say(DEAR, ProviderFailed("down"))
        w.provider.say(CHEAP, Says(RIGHT))
        assert (await w.ask("straight")).outcome.reason == "fallback"

    async def both_down(w: World) -> None:
        for model in (CHEAP, SPARE):
            w.provider.say(model, ProviderFailed("down"))
        for question in ("easy", "hard"):
            outcome = (await w.ask(question)).outcome
            assert (outcome.tier, models_of(outcome).count(DEAR)) == ("expensive", 1)

    run(down)
    run(both_down, fallback={"other_tier": "any"})


def test_entries_that_share_a_load_share_a_cascade_s_too() -> None:
    """And the verifier knows the answers of both."""

    async def scenario(w: World) -> None:
        entries = ("one", "two")
        for name in entries:
            w.provider.say(name, Says(WRONG))
        w.provider.say(DEAR, Says("dear"))
        outcomes = [(await w.ask(f"easy {number}")).outcome for number in range(20)]
        assert {outcome.reason for outcome in outcomes} == {"escalated"}
        assert [[models_of(outcome)[0] for outcome in outcomes].count(name) for name in entries] == [10, 10]

    entries = [{"model": CHEAP, "name": name, "weight": 1} for name in ("one", "two")]
    tiers = {"cheap": {"models": entries}, "expensive": {"models": [DEAR]}}
    run(scenario, tiers=tiers, models={CHEAP: dict(PRICES), DEAR: dict(DEARER)}, cascade={"max_held_share": 1.0})


def test_a_caller_s_deadline_is_nobody_else_s() -> None:
    """Who waits for less gets the doubted answer; it is not stored, and a follower has the call made for itself."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        w.provider.say(DEAR, Says("dear", after_s=5.0))
        assert (await w.ask("easy", deadline_s=2.0)).outcome.reason == "cascade_fallback"
        assert (await w.ask("easy")).text == "dear"
        hurried = begin(w, "easy two", deadline_s=2.0)
        await settle(20)
        patient = begin(w, "easy two")
        await w.clock.run(hurried)
        await w.clock.run(patient)
        assert (hurried.result().text, patient.result().text) == (WRONG, "dear")

    run(scenario)


def test_a_hanging_cheap_tier_leaves_time_for_the_expensive_one() -> None:
    """Half of it, where the question alone would have asked that."""

    async def scenario(w: World) -> None:
        for model in (CHEAP, SPARE):
            w.provider.say(model, Hangs())
        assert (await w.ask("hard")).text == "dear"

    run(scenario)


def test_a_held_stream_that_nobody_reads_is_ended() -> None:
    """As any stream: what it reserved is given back."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT + " word" * 400))
        stream = await w.open_stream("easy")
        await w.clock.advance(5000.0)
        await settle(50)
        assert book(w).reserved == 0
        with pytest.raises(Overloaded):
            await w.read(stream)

    run(scenario, cascade={"streams": "hold"}, budgets={"total": "1/day", "default_max_output_tokens": 1000})


def test_a_conversation_stays_with_the_cheap_model_that_it_is_warm_at() -> None:
    """Another one than the tier's first is not verified; a question that is hard goes nowhere before it is answered."""

    async def at_the_spare(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"))
        w.provider.say(SPARE, Says("ok", usage=usage(40_000)))
        await turn(w, "one")
        w.provider.say(CHEAP, Says(RIGHT, usage=usage(40_000)))
        second = await turn(w, "two")
        assert (second.model, second.reason) == (SPARE, "sticky")

    async def straight(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT, usage=usage(40_000)))
        await turn(w, "one")
        second = await turn(w, "straight")
        assert (second.model, second.reason) == (CHEAP, "verified")

    run(at_the_spare, routing={"threshold": 0.8}, models=MODELS)
    run(straight, routing={"threshold": 0.98}, models=MODELS)


def test_a_share_holds_over_cascaded_and_other_requests_together() -> None:
    """Streams go by their question, whole answers by the cascade."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        served = []
        for number in range(150):
            served.append((await w.ask(f"easy {number}")).outcome.tier)
            stream = await w.open_stream(f"hard {number}")
            await w.read(stream)
            served.append(stream.outcome.tier)
        assert served.count("expensive") / len(served) == pytest.approx(0.3, abs=0.04)

    run(scenario, routing={"max_expensive_share": 0.3}, cascade={"max_held_share": 1.0})


def test_what_a_caller_declines_of_a_share_is_nobody_else_s_to_spend() -> None:
    """His own threshold moves no other's."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        for number in range(40):
            await w.ask(f"easy {number}", params={"turnout": {"threshold": 0.95}})
        w.provider.say(CHEAP, Says(RIGHT))
        others = [(await w.ask(f"other {number}")).outcome for number in range(15)]
        assert [outcome.tier for outcome in others].count("expensive") <= 3

    run(scenario, routing={"max_expensive_share": 0.1}, cascade={"max_held_share": 1.0})


def test_a_job_comes_back_where_the_expensive_tier_has_no_room_yet() -> None:
    """It has time: a doubted answer is no result for it."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        w.provider.say(DEAR, Says("dear", after_s=2000.0))
        busy = begin(w, "straight")
        await settle(40)
        request = from_call("easy", stream=False, params={})
        work = asyncio.ensure_future(w.turnout.completed(request, replace(w.context(), job=Job())))
        await w.clock.run(work)
        assert isinstance(work.exception(), NoRoomYet)
        busy.cancel()
        await asyncio.wait({busy})
        await settle(40)

    models = {CHEAP: dict(PRICES), SPARE: dict(PRICES), DEAR: {**DEARER, "max_concurrency": 1}}
    run(scenario, models=models, retry={"attempts": 1, "deadline_s": 3000.0})


def test_a_stream_that_was_not_verified_is_no_answer_to_whole_requests() -> None:
    """Nor the other way round: they are answered by other rules."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(WRONG))
        stream = await w.open_stream("easy")
        assert await w.read(stream) == WRONG
        assert (await w.ask("easy")).text == "dear"

    run(scenario)


def test_an_answer_that_was_accepted_stays_so_where_its_second_call_fails() -> None:
    """It was asked again by chance alone."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        w.provider.say(DEAR, ProviderFailed("down"))
        outcome = (await w.ask("easy")).outcome
        assert (outcome.reason, outcome.decision.verdict) == ("verified", "accepted")

    run(scenario, chance=0.0)


def test_an_answer_that_cannot_vary_is_not_asked_for_twice() -> None:
    """Where the model's own section fixes the temperature, too."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("42"))
        assert models_of((await w.ask("easy")).outcome) == [CHEAP]

    models = {CHEAP: {**PRICES, "params": {"temperature": 0}}, SPARE: dict(PRICES), DEAR: dict(DEARER)}
    run(scenario, VerifyingScorer(), cascade={"second_sample": "auto"}, models=models)
