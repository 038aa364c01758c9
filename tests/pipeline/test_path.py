"""The request path, on the scripted provider and the manual clock: no socket, no sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from turnout.assembly import Turnout
from turnout.caller import Caller, Circumstances, Directives
from turnout.errors import (
    CallerFault,
    DeadlineExceeded,
    InvalidRequest,
    MalformedReply,
    ModelNotFound,
    ProviderFailed,
    ProviderRateLimited,
    UpstreamUnavailable,
)
from turnout.outcome import Outcome
from turnout.testing import FixedScorer, Hangs, ManualClock, Says, ScriptedProvider, settle
from turnout.wire import from_call

CHEAP, SPARE, DEAR = "openai/small", "openai/spare", "openai/large"
PRICES = {"input_usd_per_million": 1, "output_usd_per_million": 10}


@dataclass
class World:
    """A Turnout over fakes."""

    turnout: Turnout
    provider: ScriptedProvider
    clock: ManualClock
    scorer: FixedScorer

    def around(self, user: str = "ann", **directives: Any) -> Circumstances:
        return self.turnout.around(Caller(user=user), Directives(**directives))

    async def ask(self, text: str = "easy", user: str = "ann", params: Any = None, **directives: Any) -> Any:
        request = from_call(text, stream=False, params=params or {})
        work = asyncio.ensure_future(self.turnout.completed(request, self.around(user, **directives)))
        await self.clock.run(work)
        return work.result()

    async def open_stream(self, text: str = "easy", **directives: Any) -> Any:
        request = from_call(text, stream=True, params={})
        work = asyncio.ensure_future(self.turnout.streamed(request, self.around(**directives)))
        await self.clock.run(work)
        return work.result()

    async def read(self, stream: Any) -> str:
        async def all_of_it() -> str:
            return "".join([c["choices"][0]["delta"].get("content") or "" async for c in stream])

        work = asyncio.ensure_future(all_of_it())
        await self.clock.run(work)
        return work.result()


def world(**sections: Any) -> World:
    config = {
        "tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}},
        "models": {name: dict(PRICES) for name in (CHEAP, SPARE, DEAR)},
        "routing": {"threshold": 0.5},
        **sections,
    }
    clock = ManualClock()
    provider = ScriptedProvider(clock=clock)
    scorer = FixedScorer(0.1, scores={"hard": 0.9})
    return World(Turnout(config, clock=clock, provider=provider, scorer=scorer), provider, clock, scorer)


def run(scenario: Callable[[World], Awaitable[None]], **sections: Any) -> None:
    """Runs the scenario and holds afterwards that nothing is left over."""

    async def main() -> None:
        here = world(**sections)
        await scenario(here)
        await here.turnout.aclose()
        assert here.provider.open == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_easy_goes_cheap_and_hard_goes_expensive() -> None:
    """By the score held against the threshold; the outcome tells it with its cost."""

    async def scenario(w: World) -> None:
        easy = (await w.ask("easy")).outcome
        hard = (await w.ask("hard")).outcome
        assert (easy.tier, easy.model, easy.reason) == ("cheap", CHEAP, "scored")
        assert (hard.tier, hard.model, hard.decision.score) == ("expensive", DEAR, 0.9)
        # 10 prompt tokens at 1 and 1 completion token at 10 USD a million.
        assert str(hard.cost_usd) == "0.00002"

    run(scenario)


def test_a_hit_calls_nobody_and_scores_nothing() -> None:
    """The second of two equal requests costs nothing and is told as a hit of the first one's decision."""

    async def scenario(w: World) -> None:
        await w.ask("hard")
        asked = w.scorer.asked
        hit = (await w.ask("hard")).outcome
        assert (hit.cache, hit.reason, hit.tier, hit.cost_usd) == ("hit", "cache", "expensive", 0)
        assert hit.decision.score == 0.9
        assert (w.scorer.asked, w.provider.calls.total()) == (asked, 1)

    run(scenario)


def test_users_share_no_answers_unless_told_so() -> None:
    """Scope "user" keeps them apart, scope "app" does not; anonymous callers share none under "user"."""

    async def apart(w: World) -> None:
        await w.ask(user="ann")
        assert (await w.ask(user="bob")).outcome.cache == "miss_stored"
        assert (await w.ask(user="anonymous")).outcome.cache == "bypass"
        assert (await w.ask(user="anonymous")).outcome.cache == "bypass"

    async def together(w: World) -> None:
        await w.ask(user="ann")
        assert (await w.ask(user="bob")).outcome.cache == "hit"

    run(apart)
    run(together, cache={"scope": "app"})


def test_directives_of_the_caller_are_honoured() -> None:
    """no-store stores nothing; no-cache asks anew and stores; max-age refuses what is older."""

    async def scenario(w: World) -> None:
        assert (await w.ask(no_store=True)).outcome.cache == "request"
        assert (await w.ask()).outcome.cache == "miss_stored"
        assert (await w.ask(no_cache=True)).outcome.cache == "request_stored"
        await w.clock.advance(10)
        assert (await w.ask(max_age_s=20)).outcome.cache == "hit"
        assert (await w.ask(max_age_s=5)).outcome.cache == "miss_stored"

    run(scenario)


def test_a_truncated_answer_is_not_stored() -> None:
    """Finish reason `length`: told as a miss that is not stored, and asked again."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("cut", finish="length"))
        assert (await w.ask()).outcome.cache == "miss"
        assert (await w.ask()).outcome.cache == "miss"

    run(scenario)


def test_equal_requests_in_flight_are_one_call() -> None:
    """A hundred callers, one call; the first one pays, the others are told as collapsed."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("slow", after_s=1))
        asks = [asyncio.ensure_future(w.turnout.completed(from_call("x", stream=False, params={}), w.around()))
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
            asyncio.ensure_future(w.turnout.completed(from_call("x", stream=False, params={}), w.around()))
            for _ in range(2)
        )
        await settle()
        first.cancel()
        await settle()
        assert w.provider.open == 1
        await w.clock.run(second)
        assert second.result().text == "slow"
        third = asyncio.ensure_future(w.turnout.completed(from_call("y", stream=False, params={}), w.around()))
        await settle()
        third.cancel()
        await settle()
        assert w.provider.open == 0

    run(scenario)


def test_a_follower_gets_a_running_stream_from_its_first_chunk() -> None:
    """Both readers see all of it; one call was made; the entry then serves a whole answer too."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("one two three four", between_s=1))
        first = await w.open_stream()
        await anext(first)
        second = await w.open_stream()
        assert second.head.cache == "collapsed"
        assert await w.read(second) == "one two three four"
        assert await w.read(first) == "one two three four"
        assert (await w.ask()).outcome.cache == "hit"
        assert (await w.ask()).text == "one two three four"
        assert w.provider.calls.total() == 1

    run(scenario)


def test_a_whole_answer_serves_a_stream() -> None:
    """A hit is replayed as chunks."""

    async def scenario(w: World) -> None:
        await w.ask()
        stream = await w.open_stream()
        assert stream.head.cache == "hit"
        assert await w.read(stream) == "ok"

    run(scenario)


def test_a_slow_reader_holds_the_provider_back() -> None:
    """Nothing is read far ahead of the fastest listener."""

    async def scenario(w: World) -> None:
        pulled = 0

        class Counting(list[str]):
            def __iter__(self) -> Any:
                nonlocal pulled
                for _ in range(10_000):
                    pulled += 1
                    yield "word "

        w.provider.say(CHEAP, Says("", chunks=Counting()))
        stream = await w.open_stream()
        await settle(200)
        assert pulled < 100
        await stream.aclose()
        await settle()
        assert w.provider.open == 0

    run(scenario)


def test_the_next_candidate_answers_where_the_first_fails() -> None:
    """Other models of the tier first; the outcome says that it fell back."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"))
        outcome = (await w.ask()).outcome
        assert (outcome.model, outcome.reason, outcome.tier) == (SPARE, "fallback", "cheap")
        assert [a.error for a in outcome.attempts] == ["provider_error"] * 3 + [None]

    run(scenario)


def test_a_fallback_goes_downwards_only() -> None:
    """The cheap tier stands in for the expensive one, never the other way round."""

    async def scenario(w: World) -> None:
        w.provider.say(DEAR, ProviderFailed("down"))
        assert (await w.ask("hard")).outcome.model == CHEAP
        for name in (CHEAP, SPARE):
            w.provider.say(name, ProviderFailed("down"))
        w.provider.say(DEAR, "fine")
        with pytest.raises(UpstreamUnavailable) as refused:
            await w.ask("easy")
        assert refused.value.retry_after_s is not None

    run(scenario)


def test_a_forced_tier_or_model_is_never_left() -> None:
    """Not for fallback either; an unknown name is told with the nearest known one."""

    async def scenario(w: World) -> None:
        outcome = (await w.ask(params={"model": "large"})).outcome
        assert (outcome.model, outcome.reason, outcome.decision.score) == (DEAR, "forced", None)
        w.provider.say(DEAR, ProviderFailed("down"))
        with pytest.raises(UpstreamUnavailable):
            await w.ask("again", params={"model": "expensive"})
        with pytest.raises(ModelNotFound, match="openai/large"):
            await w.ask(params={"model": "openai/lrge"})

    run(scenario)


def test_the_callers_own_fault_is_told_without_retry() -> None:
    """One call, no fallback, the provider's words."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, CallerFault("bad image", status=400, param="messages"))
        with pytest.raises(InvalidRequest, match="bad image"):
            await w.ask()
        assert w.provider.calls.total() == 1

    run(scenario)


def test_nothing_left_but_a_stale_answer_then_a_plain_one() -> None:
    """Stale where it was seen before, the configured words where it was not, both told as what they are."""

    async def scenario(w: World) -> None:
        await w.ask("seen")
        await w.clock.advance(3601)
        for name in (CHEAP, SPARE):
            w.provider.say(name, ProviderFailed("down"))
        stale = (await w.ask("seen")).outcome
        assert (stale.cache, stale.reason, int(stale.age_s)) == ("stale", "cache", 3601)
        plain = await w.ask("unseen")
        assert plain.text == "We are busy."
        assert (plain.outcome.tier, plain.outcome.reason, plain.outcome.cost_usd) == ("none", "fallback_answer", 0)

    run(scenario, fallback={"answer": "We are busy."})


def test_a_deadline_ends_a_hanging_call() -> None:
    """The caller's lower one ends its own waiting; the settings' one ends everybody's."""

    async def scenario(w: World) -> None:
        for name in (CHEAP, SPARE):
            w.provider.say(name, Hangs())
        began = w.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await w.ask(deadline_s=2.0)
        assert w.clock.monotonic() - began == pytest.approx(2.0)
        with pytest.raises(DeadlineExceeded):
            await w.ask("other")
        assert w.clock.monotonic() - began <= 62.5

    run(scenario)


def test_a_stream_fails_over_until_its_first_content() -> None:
    """A candidate that breaks after its role chunk is not seen at all."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=[], breaks=MalformedReply("cut")))
        w.provider.say(SPARE, "here I am")
        stream = await w.open_stream()
        assert await w.read(stream) == "here I am"
        assert stream.outcome.reason == "fallback"

    run(scenario)


def test_a_break_after_content_ends_the_stream_with_an_error() -> None:
    """What came is billed, nothing is cached, the outcome tells the error."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=["half an ", "answer"], breaks=MalformedReply("cut")))
        stream = await w.open_stream()
        with pytest.raises(UpstreamUnavailable):
            await w.read(stream)
        assert stream.outcome.error == "upstream_unavailable"
        assert stream.outcome.cost_usd > 0
        assert stream.outcome.attempts[-1].usage.estimated
        w.provider.say(CHEAP, "whole")
        assert (await w.ask()).outcome.cache == "miss_stored"

    run(scenario)


def test_a_stuck_stream_is_cut_by_its_chunk_timeout() -> None:
    """Between chunks, ten seconds by default."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=["a", "b"], between_s=11))
        w.provider.say(SPARE, Says("", chunks=["a", "b"], between_s=9))
        stream = await w.open_stream()
        assert await w.read(stream) == "ab"
        assert stream.outcome.model == SPARE

    run(scenario)


def test_retry_after_beyond_the_cap_goes_to_the_next_candidate_at_once() -> None:
    """Nobody sleeps for a provider's seven seconds while another is healthy."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderRateLimited("slow down", status=429, retry_after_s=7))
        outcome = (await w.ask()).outcome
        assert (outcome.model, outcome.waited_s, w.provider.calls[CHEAP]) == (SPARE, 0, 1)

    run(scenario)


def test_decide_calls_and_stores_nothing() -> None:
    """The decision alone."""

    async def scenario(w: World) -> None:
        decision = await w.turnout.decide("hard")
        assert (decision.tier, decision.candidates) == ("expensive", (DEAR, CHEAP, SPARE))
        assert w.provider.calls.total() == 0

    run(scenario)


def test_in_python_a_stream_is_read_word_by_word() -> None:
    """`async for chunk in t.stream(...)`: texts, and an outcome at the end."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, "one two")
        stream = w.turnout.stream("x", caller=Caller(user="ann"))
        assert "".join([chunk.text async for chunk in stream]) == "one two"
        assert stream.outcome is not None
        assert stream.outcome.usage.completion_tokens == 2

    run(scenario)


def test_a_stream_without_its_finish_is_a_break() -> None:
    """It is not taken for a whole answer, nor stored as one."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("half", finish=""))
        stream = await w.open_stream()
        with pytest.raises(UpstreamUnavailable):
            await w.read(stream)
        assert (await w.ask()).outcome.cache == "miss_stored"

    run(scenario)


def test_who_leaves_a_stream_is_told_of_with_what_it_cost() -> None:
    """The attempt and what was received of it stand in the outcome, once the provider's call has ended."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("one two three four", between_s=1))
        stream = await w.open_stream()
        await anext(stream)
        await w.clock.advance(1.0)
        await anext(stream)
        await stream.aclose()
        await settle()
        outcome = stream.outcome
        assert (outcome.error, len(outcome.attempts)) == ("cancelled", 1)
        assert outcome.usage.completion_tokens > 0
        assert outcome.cost_usd > 0

    run(scenario)
