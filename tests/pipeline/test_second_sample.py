"""A second cheap answer beside the first: read as a sign, paid for, and never in the first one's way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.pipeline.cascade_world import models_of, run
from tests.pipeline.test_reservation import begin, book
from tests.pipeline.world import CHEAP, DEAR, SPARE, World
from tests.support.fixed_verifier import RIGHT, WRONG, VerifyingScorer
from turnout.attempt_errors import ProviderFailed, ProviderRateLimited
from turnout.pricing import nano
from turnout.settings import Settings
from turnout.telemetry.spans import SpanObserver
from turnout.testing import Hangs, Says, settle

BUDGET = {"total": "0.2/day", "default_max_output_tokens": 1000}
# "easy" at the cheap model: 64 + 16 + 4 tokens of prompt at the most, 1000 of answer, in nano-USD.
WORST = 84_000 + 10_000_000


def twice(scenario: Callable[[World], Awaitable[None]], scorer: VerifyingScorer | None = None, **sections: Any) -> None:
    """Runs it with the second sample on; with a budget, holds that nothing stays reserved and the books are right."""
    cascade = {"second_sample": "auto", **sections.pop("cascade", {})}
    run(scenario, scorer, cascade=cascade, **{"cache": {"enabled": False}, **sections})


def seconds_of(outcome: Any) -> list[bool]:
    return [attempt.second_sample for attempt in outcome.attempts]


def test_agreement_is_read_with_the_answer() -> None:
    """Both are attempts of the request, with the usage of the one that is served and the cost of both."""
    scorer = VerifyingScorer()

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("42", completion_tokens=3), Says("42", completion_tokens=5))
        same = await w.ask("easy")
        assert (same.text, same.outcome.reason, same.outcome.decision.second_agrees) == ("42", "verified", True)
        assert (models_of(same.outcome), seconds_of(same.outcome)) == ([CHEAP, CHEAP], [False, True])
        assert same.usage.completion_tokens == 3
        assert same.outcome.cost_usd == sum(attempt.cost_usd for attempt in same.outcome.attempts)
        assert all(attempt.cost_usd > 0 for attempt in same.outcome.attempts)
        w.provider.say(CHEAP, Says("42"), Says("43"))
        other = await w.ask("easy two")
        assert (other.text, other.outcome.reason, other.outcome.decision.second_agrees) == ("dear", "escalated", False)
        assert (models_of(other.outcome), seconds_of(other.outcome)) == ([CHEAP, DEAR, CHEAP], [False, False, True])
        assert other.outcome.cost_usd == sum(attempt.cost_usd for attempt in other.outcome.attempts)

    twice(scenario, scorer)
    assert scorer.second_opinion is not None
    assert scorer.second_opinion.asked == [("42", "42"), ("42", "43")]
    assert scorer.verifier.asked == []


@pytest.mark.parametrize(
    ("text", "params"),
    [("not worth it, hard", {}), ("easy", {"temperature": 0}), ("easy", {"seed": 7}), ("easy", {"model": "cheap"})],
)
def test_none_where_it_is_not_worth_it(text: str, params: dict[str, Any]) -> None:
    """By the verifier's word; and where the same answer would come twice, or nothing is verified."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        answered = await w.ask(text, params=params)
        assert (answered.text, w.provider.calls[CHEAP]) == (RIGHT, 1)
        assert answered.outcome.decision.second_agrees is None

    twice(scenario)


def test_none_in_shadow() -> None:
    """It changes nothing, and costs nothing."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        await w.ask("easy")
        assert w.provider.calls[CHEAP] == 1

    twice(scenario, mode="shadow")


@pytest.mark.parametrize("second", [ProviderFailed("down"), ProviderRateLimited("busy"), Hangs()])
@pytest.mark.parametrize("stream", [False, True])
def test_a_second_answer_that_does_not_come_leaves_the_verdict_of_the_first(second: Any, stream: bool) -> None:
    """It is tried once, not waited for much longer than the first took, and paid by what is known of it."""
    scorer = VerifyingScorer()

    async def scenario(w: World) -> None:
        for first, served in ((RIGHT, RIGHT), (WRONG, "dear")):
            w.provider.say(CHEAP, Says(first, after_s=2.0), second)
            began = w.clock.monotonic()
            if stream:
                answered = await w.open_stream("easy")
                text = await w.read(answered)
            else:
                answered = await w.ask("easy")
                text = answered.text
            assert text == served
            # As long again as the first took.
            assert w.clock.monotonic() - began <= 4.0
            assert answered.outcome.decision.second_agrees is None
            second_one = answered.outcome.attempts[-1]
            assert second_one.second_sample
            assert second_one.error is not None
            assert w.provider.open == 0
            # The wait is time of models, not of this library.
            assert answered.outcome.turnout_s == 0.0
            await w.clock.advance(60.0)
        assert w.provider.calls[CHEAP] == 4
        assert book(w).reserved == 0

    twice(scenario, scorer, budgets=BUDGET, retry={"attempts": 3}, cascade={"streams": "hold"})
    assert scorer.verifier.asked == [RIGHT, WRONG]


def test_both_calls_are_reserved_and_settled_at_their_cost() -> None:
    """While both are under way both worst cases are held, and the expensive one's when it is asked."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("42", after_s=1.0), Says("43", after_s=1.5))
        w.provider.say(DEAR, Says("dear", after_s=1.0))
        work = await begin(w, "easy")
        expensive = book(w).reserved - WORST
        # The gate reserved the dearer tier's; the second sample's stands beside it.
        assert expensive > WORST
        await w.clock.advance(2.0)
        assert book(w).reserved >= expensive + WORST
        await w.clock.run(work)
        answered = work.result()
        assert answered.outcome.reason == "escalated"
        assert len(answered.outcome.attempts) == 3
        assert (book(w).spent, book(w).reserved) == (nano(answered.outcome.cost_usd), 0)

    twice(scenario, budgets=BUDGET)


def test_a_retry_of_the_first_is_not_paid_out_of_the_second_s_reservation() -> None:
    """The failed attempt may have been billed, its retry and the second sample are under way: three worst cases."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"), Says("42", after_s=20.0), Says("42", after_s=20.0))
        work = await begin(w, "easy")
        await w.clock.advance(10.0)
        assert (w.provider.open, book(w).reserved) == (2, 3 * WORST)
        await w.clock.run(work)
        assert work.result().outcome.decision.second_agrees is True
        assert book(w).reserved == 0

    budget = {"total": "0.032/day", "default_max_output_tokens": 1000, "on_exhausted": "cheap"}
    twice(scenario, budgets=budget, retry={"attempts": 2})


def test_a_budget_without_room_for_a_second_goes_by_the_first() -> None:
    """Nothing is refused for it."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT))
        for number in range(3):
            answered = await w.ask(f"easy {number}")
            assert (answered.text, answered.outcome.reason) == (RIGHT, "verified")
        assert w.provider.calls[CHEAP] == 3
        assert book(w).reserved == 0

    twice(scenario, budgets={"total": "0.0145/day", "default_max_output_tokens": 1000, "on_exhausted": "cheap"})


@pytest.mark.parametrize("cheap", [(Hangs(), Says("x")), (Says("x"), Hangs()), (Hangs(), Hangs())])
def test_a_caller_who_leaves_ends_both(cheap: Any) -> None:
    """Whichever is under way; what each may have cost is booked."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, *cheap)
        work = await begin(w, "easy")
        assert w.provider.open > 0
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await settle(40)
        assert w.provider.open == 0
        assert book(w).reserved == 0
        assert 0 < book(w).spent <= 2 * WORST

    twice(scenario, budgets=BUDGET)


def test_a_first_call_that_fails_ends_the_second() -> None:
    """The spare model answers, whose answers the verifier does not know: nothing more is waited for."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"), Hangs())
        w.provider.say(SPARE, Says("spare"))
        began = w.clock.monotonic()
        answered = await w.ask("easy")
        assert (answered.text, answered.outcome.model) == ("spare", SPARE)
        assert w.clock.monotonic() == began
        w.provider.say(SPARE, ProviderFailed("down"))
        hard = await w.ask("hard")
        assert (hard.text, hard.outcome.tier) == ("dear", "expensive")

    twice(scenario)


def test_others_come_first() -> None:
    """A second sample takes no slot where half of them are taken, and no probe of a circuit that is not closed."""

    async def busy(w: World) -> None:
        w.provider.say(CHEAP, Says(RIGHT, after_s=1.0))
        works = [await begin(w, f"easy {number}") for number in range(3)]
        for work in works:
            await w.clock.run(work)
        # The first one of three calls leaves less than half taken.
        assert w.provider.calls[CHEAP] == 4

    async def probing(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"))
        await w.ask("hard")
        await w.clock.advance(5.0)
        w.provider.say(CHEAP, Says(RIGHT, after_s=1.0))
        assert (await w.ask("easy")).text == RIGHT
        assert w.provider.calls[CHEAP] == 2
        await w.ask("easy again")
        assert w.provider.calls[CHEAP] == 4

    small = {"input_usd_per_million": 1, "output_usd_per_million": 10, "max_concurrency": 4}
    twice(busy, models={CHEAP: small, SPARE: small, DEAR: small})
    twice(probing, breaker={"failures": 1, "reset_s": 1.0})


def test_each_call_has_a_span_below_the_request_s_own() -> None:
    """The second sample's says what it is; the verdict stands on the request's."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    config = Settings.of({"tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}}})

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("42", after_s=1.0), Says("43", after_s=1.0))
        w.provider.say(DEAR, Says("dear", after_s=1.0))
        assert (await w.ask("easy")).outcome.reason == "escalated"

    twice(scenario, observer=SpanObserver(config, provider))
    (route,) = [span for span in exporter.get_finished_spans() if span.kind is not SpanKind.CLIENT]
    calls = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert [span.name for span in calls] == ["chat small", "chat small", "chat large"]
    assert all(span.parent is not None and span.parent.span_id == route.context.span_id for span in calls)
    told = [dict(span.attributes or {}) for span in (*calls, route)]
    assert [attributes.get("turnout.cascade.second_sample") for attributes in told] == [None, True, None, None]
    assert told[-1]["turnout.cascade.second_agrees"] is False
    assert told[-1]["turnout.attempts"] == 3
