"""Checks by a judge model: what it is asked, which checks count, what it costs, and what is refused at start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.test_semantic import QUESTIONS, ask
from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from turnout import Turnout
from turnout.attempt_errors import ProviderFailed
from turnout.caching.semantic.judging import MOST_PROMPT_TOKENS, NO_ROOM_S
from turnout.errors import ModelNotFound, SettingsError
from turnout.openai.requests import from_call
from turnout.ports.counting import Bucket
from turnout.ports.runtime import ProviderCall
from turnout.telemetry.figures import merged, summary
from turnout.testing import FixedScorer, Hangs, ManualClock, Says, ScriptedProvider

JUDGE = "openai/judge"
MODELS = {name: dict(PRICES) for name in (CHEAP, SPARE, DEAR, JUDGE)}
# Each in other words, and no two near each other.
WORDS = ("Sign", "Fill", "Fold", "Scan", "Copy")
ANSWERS = [f"{word} the form at desk {number}." for number, word in enumerate(WORDS)]


def on(judge: str = JUDGE, **semantic: Any) -> dict[str, Any]:
    more = {"enabled": True, "max_error": 0.10, "judge": judge, **semantic}
    return {"cache": {"semantic": more}, "models": MODELS, "retry": {"attempts": 1}}


def figures(w: World) -> dict[str, Any]:
    assert w.turnout._pipeline.semantic is not None
    return w.turnout._pipeline.semantic.figures()


def counted(w: World) -> tuple[int, int]:
    """How many checks there were, and how many of them were errors."""
    return figures(w)["checks"], figures(w)["wrong"]


async def check(w: World, number: int, first: str, second: str, **more: Any) -> None:
    """One question and its rewording, answered so: one check. Nothing is checked off the clients' path."""
    assert w.turnout._pipeline.semantic is not None
    w.turnout._pipeline.semantic._chance = lambda: 1.0
    w.provider.say(CHEAP, first, second)
    await ask(w, QUESTIONS[number], **more)
    assert (await ask(w, QUESTIONS[number].lower(), **more)).outcome.cache == "miss_stored"


@pytest.mark.parametrize("judge", ["", JUDGE])
def test_answers_in_other_words_agree_where_the_judge_says_so(judge: str) -> None:
    """Without one they do not, and nothing is ever served."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, "yes")
        for number in range(5):
            await check(w, number, ANSWERS[number], ANSWERS[number - 1])
        assert counted(w) == (5, 0 if judge else 5)
        assert w.provider.calls[JUDGE] == (5 if judge else 0)

    run(scenario, **on(judge))


def test_a_level_opens_by_a_judge_s_word() -> None:
    """A model that words its answers anew each time is served from, too."""

    async def scenario(w: World) -> None:
        assert w.turnout._pipeline.semantic is not None
        w.turnout._pipeline.semantic._chance = lambda: 1.0
        w.provider.say(JUDGE, "Yes.")
        w.provider.say(CHEAP, *(f"{answer} Then wait {wait} days." for wait in range(40) for answer in ANSWERS))
        for reword in (str, str.lower, str.upper, "Hello, {}".format, "{} Thanks!".format):
            for question in QUESTIONS[:16]:
                await w.ask(reword(question))
            await w.turnout._pipeline.drain()
        assert figures(w)["level"] is not None
        assert (await ask(w, f"Hi! {QUESTIONS[0]} Thank you!")).outcome.cache == "semantic"

    run(scenario, **on())


def test_the_judge_decides_what_is_not_word_for_word_the_same() -> None:
    """The same words agree at once; near vectors are no help where it says no. It sees the question and both answers
    in one message, and writes a bounded reply."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, "no")
        await check(w, 0, "Sign the form.", "sign the form")
        assert (counted(w), w.provider.calls[JUDGE]) == ((1, 0), 0)
        near = "Take the form to the desk on the first floor.", "Take the form to a desk on the first floor."
        assert w.turnout._pipeline.semantic is not None
        assert await w.turnout._pipeline.semantic._similar.agree(*near)
        await check(w, 1, *near)
        assert (counted(w), w.provider.calls[JUDGE]) == ((2, 1), 1)
        (call,) = (call for call in w.provider.seen if call.model == JUDGE)
        assert json.loads(call.messages[1]["content"]) == {
            "question": QUESTIONS[1].lower(), "answer_1": near[0], "answer_2": near[1]
        }  # fmt: skip
        assert call.params["max_tokens"] <= 400

    run(scenario, **on())


def test_answers_too_long_for_the_judge_differ() -> None:
    """It is not asked about a part of them."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, "yes")
        await check(w, 0, "long " * (MOST_PROMPT_TOKENS // 5), "short")
        assert (counted(w), w.provider.calls[JUDGE]) == ((1, 1), 0)

    run(scenario, **on())


@pytest.mark.parametrize("reply", ["maybe", "", Says("yes", finish="content_filter", completion_tokens=0), "no idea"])
def test_a_reply_that_is_no_verdict_counts_as_an_error(reply: Any) -> None:
    """It may be its pair's doing. The pair itself is not known to be wrong, and the next check counts."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, reply, "yes")
        await check(w, 0, ANSWERS[0], ANSWERS[1])
        verdict = reply == "yes" or getattr(reply, "text", "") == "yes"
        assert counted(w) == (1, 0 if verdict else 1)
        assert figures(w)["judge_undecided"] == (0 if verdict else 1)
        assert w.turnout._pipeline.semantic is not None
        assert not w.turnout._pipeline.semantic._similar._candidates._wrong
        await check(w, 1, ANSWERS[2], ANSWERS[3])
        assert counted(w)[0] == 2

    run(scenario, **on())


@pytest.mark.parametrize("failure", [ProviderFailed("down"), Hangs()])
def test_a_judge_that_fails_costs_one_error_and_no_check_counts_until_it_is_back(failure: Any) -> None:
    """Those in the same words neither: what is left out says nothing of the pairs. The first call after its rest only
    shows that it is back."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, failure)
        await check(w, 0, ANSWERS[0], ANSWERS[1])
        assert counted(w) == (1, 1)
        asked = w.provider.calls[JUDGE]
        await check(w, 1, ANSWERS[0], ANSWERS[1])
        await check(w, 2, "the same", "the same")
        assert (counted(w), w.provider.calls[JUDGE]) == ((1, 1), asked)
        await w.clock.advance(31)
        await check(w, 3, ANSWERS[0], ANSWERS[1])
        assert (counted(w), w.provider.calls[JUDGE]) == ((1, 1), asked + 1)
        w.provider.say(JUDGE, "yes")
        await w.clock.advance(31)
        await check(w, 4, ANSWERS[0], ANSWERS[1])
        assert counted(w) == (1, 1)
        await check(w, 5, ANSWERS[0], ANSWERS[1])
        await check(w, 6, "the same", "the same")
        assert counted(w) == (3, 1)

    run(scenario, **on())


def test_without_room_in_the_checks_budget_no_check_counts() -> None:
    """Neither the pairs in the same words. What is open is served on, unchecked."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, "yes")
        for number in range(4):
            await check(w, number, ANSWERS[0], ANSWERS[1])
        # 12,000 tokens in and 400 out are reserved, 10 in and 1 out are paid: there is room while so much is left.
        assert counted(w) == (4, 0)
        w.provider.say(JUDGE, Says("yes", usage={"prompt_tokens": 9000, "completion_tokens": 1, "total_tokens": 9001}))
        await check(w, 4, ANSWERS[0], ANSWERS[1])
        assert counted(w) == (5, 0)
        await check(w, 5, ANSWERS[0], ANSWERS[1])
        await check(w, 6, "the same", "the same")
        assert counted(w) == (5, 0)
        await w.clock.advance(NO_ROOM_S + 1)
        await check(w, 7, "the same", "the same")
        assert counted(w) == (5, 0)

    run(scenario, **on(checks_usd="0.02/day"))


def test_a_semantic_hit_is_served_unchecked_while_the_judge_cannot_be_asked() -> None:
    """A check that could not count is not paid for: neither by the checks' budget nor by the client."""

    async def scenario(w: World) -> None:
        semantic = w.turnout._pipeline.semantic
        assert semantic is not None
        semantic._similar.error_bound._open = [True, True, True]
        await ask(w, QUESTIONS[0])
        semantic._chance = lambda: 0.0
        assert semantic._checks._judge is not None
        semantic._checks._judge._standing._not_before = w.clock.monotonic() + 10
        calls = w.provider.calls.total()
        assert (await ask(w, QUESTIONS[0].lower())).outcome.cache == "semantic"
        assert w.provider.calls.total() == calls
        await w.clock.advance(11)
        assert (await ask(w, QUESTIONS[0].upper())).outcome.cache == "semantic"
        assert w.provider.calls.total() == calls + 1

    run(scenario, **on())


def test_what_the_judge_costs_is_paid_by_the_checks_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are the provider's books; the saving is less by it; its budget stands on the page."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", "x")

    async def scenario(w: World) -> None:
        w.turnout.api.counters.changed = lambda: None
        w.provider.say(JUDGE, "yes", "hm")
        await check(w, 0, ANSWERS[0], ANSWERS[1])
        await check(w, 1, ANSWERS[2], ANSWERS[3])
        series = w.turnout.api.counters.pending.series
        told = summary(merged(Bucket(start=at, series=each) for at, each in series.items()), (CHEAP, DEAR, JUDGE))
        # 10 tokens in and 1 out, at 1 and 10 USD a million.
        assert told["semantic"]["checks_usd"] == pytest.approx(2 * 20e-6, abs=1e-12)
        assert told["semantic"]["net_saving_usd"] == pytest.approx(-2 * 20e-6, abs=1e-12)
        assert (told["semantic"]["compared"], told["semantic"]["undecided"]) == (2, 1)
        assert told["models"][JUDGE]["cost_usd"] == pytest.approx(2 * 20e-6, abs=1e-12)

    run(scenario, status={"token_env": "TURNOUT_STATUS_TOKEN"}, **on())


class CallsTools(ScriptedProvider):
    """Answers with a tool call from the second call on."""

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        body = await super().complete(call)
        if self.calls.total() > 1:
            made = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            message = {"role": "assistant", "content": None, "tool_calls": [made]}
            body["choices"][0] |= {"message": message, "finish_reason": "tool_calls"}
        return body


@pytest.mark.parametrize("judge", ["", JUDGE])
def test_a_tool_call_is_another_answer_than_a_text(judge: str) -> None:
    """The one who asked would have got something else: it counts as an error."""

    async def main() -> None:
        clock = ManualClock()
        provider = CallsTools(clock=clock)
        tiers = {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}}
        config = {"tiers": tiers, "routing": {"threshold": 0.5}, **on(judge), "models": {**MODELS}}
        turnout = Turnout(config, clock=clock, provider=provider, scorer=FixedScorer(0.1))
        w = World(turnout, provider, clock, FixedScorer(0.1))
        await ask(w, QUESTIONS[0])
        await ask(w, QUESTIONS[0].lower())
        assert counted(w) == (1, 1)
        await turnout.aclose()

    asyncio.run(main())


def test_a_check_under_way_at_a_purge_is_forgotten() -> None:
    """What the judge says of a user's answers after that teaches nothing."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, Says("no", after_s=5))
        w.provider.say(CHEAP, ANSWERS[0], ANSWERS[1])
        await w.ask(QUESTIONS[0])
        await w.turnout._pipeline.drain()
        await w.ask(QUESTIONS[0].lower())
        await w.turnout.purge(user="ann")
        await w.clock.run(asyncio.ensure_future(w.turnout._pipeline.drain()))
        assert w.provider.calls[JUDGE] == 1
        assert counted(w) == (0, 0)
        assert w.turnout._pipeline.semantic is not None
        assert not w.turnout._pipeline.semantic._similar._candidates._wrong

    run(scenario, **on())


def test_a_judge_answers_no_caller() -> None:
    """It is no model that may be asked for, in chats or for vectors, and not on the list of models."""

    async def scenario(w: World) -> None:
        assert JUDGE not in w.turnout._parts.api.chat._pipeline._collaborators.catalog.names  # type: ignore[attr-defined]
        with pytest.raises(ModelNotFound):
            w.turnout._pipeline.cache_key(from_call("hi", stream=False, params={"model": JUDGE}), w.context())

    run(scenario, **on())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda config: config["cache"]["semantic"].update(checks_usd=[]), "checks_usd"),
        (lambda config: config["models"].pop(JUDGE), "price"),
        (lambda config: config["models"][JUDGE].update(params={"web_search_options": {}}), "web_search_options"),
    ],
)
def test_a_judge_that_could_not_be_paid_is_refused_at_start(change: Callable[[Any], Any], word: str) -> None:
    """Without a price, without a budget, or with a parameter whose cost has no bound."""
    config = {"tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}}, **on()}
    config["models"] = {name: dict(model) for name, model in MODELS.items()}
    change(config)
    with pytest.raises(SettingsError, match=word):
        Turnout(config)


def test_pairs_that_only_teach_are_not_the_judge_s() -> None:
    """It would call two refusals of two things the same, and its money is for what may be served."""

    async def scenario(w: World) -> None:
        w.provider.say(JUDGE, "yes")
        w.provider.say(CHEAP, "I am afraid that I cannot help.", "Sorry, no help here.")
        await ask(w, "How do I mend a broken phone screen?")
        await ask(w, "How do I mend a broken smartphone screen?")
        assert w.provider.calls[JUDGE] == 0
        semantic = w.turnout._pipeline.semantic
        assert semantic is not None
        assert len(semantic._similar._candidates._wrong) == 1

    run(scenario, **on())
