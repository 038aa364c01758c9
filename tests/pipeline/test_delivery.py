"""How a caller gets its answer: as a stream, within its deadline, or what serves instead when no model answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.world import CHEAP, SPARE, World, run
from turnout.attempt_errors import MalformedReply, ProviderFailed
from turnout.context import Caller
from turnout.errors import DeadlineExceeded, Overloaded, UpstreamUnavailable
from turnout.testing import Hangs, Says, settle


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


def test_a_reader_that_stalls_longer_than_a_chunk_may_take_gives_up_its_slot() -> None:
    """What was read ahead is still delivered, then the error; the model is free meanwhile, and its circuit closed."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=["word "] * 1000))
        stream = await w.open_stream()
        await anext(stream)
        await settle(100)
        assert w.turnout.bulkhead.busy(CHEAP) == 1
        await w.clock.advance(9)
        assert w.turnout.bulkhead.busy(CHEAP) == 1
        await w.clock.advance(2)
        assert w.turnout.bulkhead.busy(CHEAP) == 0
        assert w.provider.open == 0
        with pytest.raises(Overloaded, match="too slowly"):
            await w.read(stream)
        assert w.provider.calls[CHEAP] == 1
        w.provider.say(CHEAP, "ok")
        assert (await w.ask("another")).text == "ok"

    run(scenario)


def test_a_reader_that_stalls_holds_its_slot_no_longer_than_its_stream_may_take() -> None:
    """The stream's own deadline, where that comes before the time of a chunk."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=["word "] * 1000))
        stream = await w.open_stream()
        await w.clock.advance(3)
        assert w.turnout.bulkhead.busy(CHEAP) == 1
        await w.clock.advance(3)
        assert w.turnout.bulkhead.busy(CHEAP) == 0
        with pytest.raises(Overloaded, match="too slowly"):
            await w.read(stream)

    run(scenario, retry={"stream_deadline_s": 5})


def test_a_reader_that_is_slow_but_reads_keeps_its_stream() -> None:
    """One chunk in nine seconds is progress, until the stream's own deadline."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("", chunks=["word "] * 60))
        stream = await w.open_stream()
        received = 0
        async for _ in stream:
            received += 1
            await w.clock.advance(9)
        assert received >= 60

    run(scenario, retry={"stream_deadline_s": 10_000})


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
        # Whole it has no finish either.
        assert [(await w.ask()).outcome.cache for _ in range(2)] == ["miss", "miss"]

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
