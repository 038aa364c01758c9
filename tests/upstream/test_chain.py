"""The chain on the scripted provider and the manual clock: who is called, when, and why not."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    CallerFault,
    ConnectionFailed,
    Denied,
    MalformedReply,
    Misconfigured,
    ProviderFailed,
    ProviderRateLimited,
    Unsupported,
)
from turnout.errors import DeadlineExceeded, Overloaded, ServedError, UpstreamUnavailable
from turnout.openai.usage import NO_LIMITS
from turnout.ports.runtime import ProviderCall
from turnout.records import Attempt
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.testing import Hangs, ManualClock, Says, ScriptedProvider, chunk, settle
from turnout.upstream.bulkhead import Bulkhead, CallSlot
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall
from turnout.upstream.chain import Chain

FIRST, SECOND = "openai/first", "openai/second"


class Silent:
    """An Observer that keeps nothing."""

    def request_started(self, request_id: str) -> None: ...

    def request_ended(self, token: Any, outcome: Any) -> None: ...

    def attempt_started(self, token: Any, call: ProviderCall, *, tier: Any, stream: bool) -> None: ...

    def attempt_ended(self, token: Any, attempt: Attempt) -> None: ...

    def event(self, token: Any, name: str, attributes: Any) -> None: ...


class World:
    """A chain over fakes."""

    def __init__(self, *, provider: type[ScriptedProvider] = ScriptedProvider, **sections: Any) -> None:
        self.settings = Settings.from_mapping(
            {"tiers": {"cheap": {"models": [FIRST, SECOND]}, "expensive": {"models": ["openai/dear"]}}, **sections}
        )
        self.clock = ManualClock()
        self.provider = provider(clock=self.clock)
        self.trace = CallTrace()
        self.bulkhead = Bulkhead(settings=self.settings, clock=self.clock, observer=Silent())
        self.chain = Chain(
            provider=self.provider,
            clock=self.clock,
            observer=Silent(),
            settings=self.settings,
            bulkhead=self.bulkhead,
            prices=dict,
            limits=lambda name: NO_LIMITS,
            providers=lambda name: "",
            rng=lambda: 0.5,
        )

    def order(self, *models: str, **more: Any) -> UpstreamCall:
        now = self.clock.monotonic()
        return UpstreamCall(
            messages=({"role": "user", "content": "x"},),
            candidates=tuple(Candidate(model=model, tier="cheap") for model in models or (FIRST, SECOND)),
            deadline=now + 60,
            stream_deadline=now + 600,
            **more,
        )

    async def complete(self, order: UpstreamCall) -> Any:
        work = asyncio.ensure_future(self.chain.complete(order, self.trace))
        await self.clock.run(work)
        return work.result()

    async def read(self, order: UpstreamCall) -> list[Any]:
        async def whole() -> list[Any]:
            return [chunk async for chunk in self.chain.stream(order, CallTrace())]

        work = asyncio.ensure_future(whole())
        await self.clock.run(work)
        return work.result()


def test_the_log_has_the_cause_and_a_remedy_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Of each model, at the level that is on by default; a model that was left alone says so; a caller's fault is not
    in it."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1}, breaker={"failures": 3})
        w.provider.say(FIRST, ProviderFailed("internal error\nof theirs", status=500))
        w.provider.say(SECOND, AttemptTimeout("the provider took too long"))
        for _ in range(5):
            with pytest.raises(UpstreamUnavailable):
                await w.complete(w.order())
        (line,) = causes()
        assert f"{FIRST}: provider_error: internal error of theirs; {SECOND}: timeout: the provider took" in line
        assert "(503 upstream_unavailable)" in line
        assert "turnout check --call" in line
        await w.clock.advance(61)
        w.trace = CallTrace()
        with pytest.raises(UpstreamUnavailable):
            await w.complete(w.order())
        assert len(causes()) == 2
        w.provider.say("openai/dear", CallerFault("no", status=400))
        with pytest.raises(ServedError):
            await w.complete(w.order("openai/dear"))
        assert len(causes()) == 2

    def causes() -> list[str]:
        return [each.getMessage() for each in caplog.records if "no answer (" in each.getMessage()]

    caplog.set_level("WARNING", logger="turnout")
    asyncio.run(scenario())


def test_what_cannot_be_afforded_is_skipped_and_told() -> None:
    """The preferred candidate's first call is covered; a retry and a fallback ask first."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderFailed("no", status=500))
        asked: list[str] = []

        async def afford(candidate: Candidate) -> bool:
            asked.append(candidate.model)
            return candidate.model == SECOND

        assert (await w.complete(w.order(afford=afford)))["model"] == "second"
        assert asked == [FIRST, SECOND]
        assert w.provider.calls == {FIRST: 1, SECOND: 1}
        assert [(skip.model, skip.reason) for skip in w.trace.skipped] == [(FIRST, "budget")]

    asyncio.run(scenario())


def test_nothing_affordable_is_the_last_failure() -> None:
    """Where no room is left for anybody, the caller is told that nobody could answer."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderFailed("no", status=500))

        async def afford(candidate: Candidate) -> bool:
            return False

        with pytest.raises(ServedError) as excinfo:
            await w.complete(w.order(afford=afford))
        assert excinfo.value.told_code == "upstream_unavailable"
        assert w.provider.calls == {FIRST: 1}

    asyncio.run(scenario())


def test_loading_is_not_taken_for_a_slow_model() -> None:
    """What a new process still has to import counts for the deadline, not for an attempt."""

    async def scenario() -> None:
        class Slow(ScriptedProvider):
            async def load(self) -> None:
                await self._clock.sleep(45.0)

        w = World(provider=Slow)
        await w.complete(w.order())
        assert w.provider.calls == {FIRST: 1}
        assert [attempt.duration_s for attempt in w.trace.attempts] == [0.0]

    asyncio.run(scenario())


async def broken(w: World, model: str = FIRST) -> None:
    """Fails the model until its circuit is open, by calls of its own."""
    w.provider.say(model, ProviderFailed("down", status=500))
    while w.bulkhead.look(model) is None:
        with pytest.raises(ServedError):
            await w.complete(w.order(model))
    w.provider.calls.clear()
    w.trace = CallTrace()


def test_an_open_circuit_is_passed_by_at_once() -> None:
    """No call, no wait: the next candidate; the trip says why."""

    async def scenario() -> None:
        w = World()
        await broken(w)
        began = w.clock.monotonic()
        assert (await w.complete(w.order()))["model"] == "second"
        assert (w.clock.monotonic() - began, w.provider.calls) == (0, {SECOND: 1})
        assert [(skip.model, skip.reason) for skip in w.trace.skipped] == [(FIRST, "open")]

    asyncio.run(scenario())


def test_a_lone_model_is_protected_too() -> None:
    """Five failed calls, be they retries, and nobody reaches it; told when it may be probed, at once."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderFailed("down", status=500))
        for _ in range(20):
            with pytest.raises(ServedError):
                await w.complete(w.order(FIRST))
        assert w.provider.calls[FIRST] == 5
        await w.clock.advance(10)
        began = w.clock.monotonic()
        with pytest.raises(UpstreamUnavailable) as excinfo:
            await w.complete(w.order(FIRST))
        assert w.clock.monotonic() == began
        assert excinfo.value.retry_after_s == pytest.approx(20, abs=1)

    asyncio.run(scenario())


def test_all_open_tells_when_the_first_may_be_probed() -> None:
    """The earliest of them."""

    async def scenario() -> None:
        w = World()
        await broken(w, FIRST)
        await w.clock.advance(12)
        await broken(w, SECOND)
        with pytest.raises(UpstreamUnavailable) as excinfo:
            await w.complete(w.order())
        assert excinfo.value.retry_after_s == pytest.approx(18, abs=1)

    asyncio.run(scenario())


def test_of_two_hundred_waiting_one_reaches_the_provider() -> None:
    """Half-open: counted at the provider, until the probe has answered; then everybody passes."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 1000}})
        await broken(w)
        await w.clock.advance(30)
        w.provider.say(FIRST, Says("slow", after_s=5))
        asks = [asyncio.ensure_future(w.chain.complete(w.order(FIRST), CallTrace())) for _ in range(200)]
        await settle()
        assert w.provider.calls[FIRST] == 1
        refused = [ask for ask in asks if ask.done() and isinstance(ask.exception(), UpstreamUnavailable)]
        assert len(refused) == 199
        await w.clock.advance(4.9)
        with pytest.raises(UpstreamUnavailable):
            await w.complete(w.order(FIRST))
        assert w.provider.calls[FIRST] == 1
        await w.clock.advance(0.1)
        asks = [asyncio.ensure_future(w.chain.complete(w.order(FIRST), CallTrace())) for _ in range(200)]
        await settle()
        assert w.provider.calls[FIRST] == 201
        await w.clock.run(asyncio.gather(*asks))

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_probe_is_given_back_at_once(stream: bool) -> None:
    """The client of the probing call leaves: the very next call is the probe."""

    async def scenario() -> None:
        w = World()
        await broken(w)
        await w.clock.advance(30)
        w.provider.say(FIRST, Hangs(), "ok")

        async def ask() -> Any:
            if not stream:
                return await w.chain.complete(w.order(FIRST), CallTrace())
            return [chunk async for chunk in w.chain.stream(w.order(FIRST), CallTrace())]

        probing = asyncio.ensure_future(ask())
        await settle()
        assert (w.provider.calls[FIRST], w.provider.open) == (1, 1)
        with pytest.raises(UpstreamUnavailable):
            await ask()
        probing.cancel()
        await settle()
        assert w.provider.open == 0
        await ask()
        assert w.provider.calls[FIRST] == 2
        assert w.bulkhead.look(FIRST) is None

    asyncio.run(scenario())


def test_a_429_pauses_and_is_no_failure() -> None:
    """Seven seconds as the provider says: others go to the next candidate at once; one then feels it out."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderRateLimited("slow down", status=429, retry_after_s=7), "ok")
        for _ in range(10):
            assert (await w.complete(w.order()))["model"] == "second"
        assert w.provider.calls[FIRST] == 1
        assert {skip.reason for skip in w.trace.skipped} == {"paused"}
        await w.clock.advance(7)
        assert (await w.complete(w.order()))["model"] == "first"
        assert w.bulkhead.look(FIRST) is None

    asyncio.run(scenario())


def test_a_short_retry_after_is_waited_for() -> None:
    """Where it fits, the caller that was told it waits and is the one that feels the end of the pause out."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderRateLimited("slow down", status=429, retry_after_s=2), "ok")
        assert (await w.complete(w.order()))["model"] == "first"
        assert w.trace.waited_s == pytest.approx(2.0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fault", "opens"),
    [
        (ProviderFailed("x", status=500), True),
        (ConnectionFailed("x"), True),
        (AttemptTimeout("x"), True),
        (MalformedReply("x"), True),
        (ProviderRateLimited("x", status=429), False),
        (Misconfigured("x", status=401), True),
        (Denied("x", status=404), True),
        (Unsupported("x"), False),
        (CallerFault("x", status=400), False),
    ],
)
def test_which_faults_open_a_circuit(fault: AttemptError, opens: bool) -> None:
    """Those that are the provider's, and our own; a 429 pauses instead, the request's count neither way."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1})
        w.provider.say(FIRST, fault)
        for _ in range(5):
            with pytest.raises(ServedError):
                await w.complete(w.order(FIRST))
        assert (w.bulkhead.guard.state(w.bulkhead.circuit(FIRST)).phase == "open") == opens

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Misconfigured("no key is configured"), "api_key_env"),
        (Misconfigured("wrong key", status=401), "api_key_env"),
        (Denied("not yours", status=403), "what its key is allowed"),
        (Denied("no such model", status=404), "api_base"),
    ],
)
def test_a_model_set_up_wrong_costs_one_failed_call_an_opening(
    fault: Misconfigured, check: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Then it is skipped and told as such; the log says at each opening, and only then, what to check."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, fault, fault, "ok")
        for opening in (1, 2):
            for _ in range(10):
                assert (await w.complete(w.order()))["model"] == "second"
            assert w.provider.calls[FIRST] == opening
            messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            assert len(messages) == opening
            assert FIRST in messages[-1]
            assert check in messages[-1]
            await w.clock.advance(30)
        assert [(skip.model, skip.reason) for skip in w.trace.skipped] == [(FIRST, "misconfigured")] * 18
        assert (await w.complete(w.order()))["model"] == "first"

    asyncio.run(scenario())


def test_where_no_model_is_set_up_right_the_caller_is_told_that_it_is_ours_to_mend() -> None:
    """On the first request and on those that call nobody; with when to come back. Not where another is only down."""

    async def scenario() -> None:
        w = World()
        for model in (FIRST, SECOND):
            w.provider.say(model, Misconfigured("wrong key", status=401))
        for _ in range(2):
            with pytest.raises(UpstreamUnavailable, match="the app's log says") as excinfo:
                await w.complete(w.order())
        assert excinfo.value.retry_after_s == 30.0
        assert w.provider.calls.total() == 2
        w.provider.say("openai/dear", ProviderFailed("down", status=500))
        with pytest.raises(UpstreamUnavailable, match="try again later"):
            await w.complete(w.order(FIRST, "openai/dear"))

    asyncio.run(scenario())


def test_an_opening_for_ours_to_mend_is_told_apart_from_an_outage() -> None:
    """By the error type on the event, which is counted by it."""

    class Hearing(Silent):
        def __init__(self) -> None:
            self.heard: list[tuple[str, Any, Any]] = []

        def event(self, token: Any, name: str, attributes: Any) -> None:
            if name == names.CIRCUIT_CHANGED:
                actual = attributes.get(names.STATE), attributes.get(names.ERROR_TYPE)
                self.heard.append((attributes[names.CIRCUIT], *actual))

    async def scenario() -> None:
        w, hearing = World(retry={"attempts": 5}), Hearing()
        bulkhead = Bulkhead(settings=w.settings, clock=w.clock, observer=hearing)
        for model, fault, times in ((FIRST, Misconfigured("x", status=401), 1), (SECOND, ProviderFailed("x"), 5)):
            for _ in range(times):
                turn = await bulkhead.enter(Candidate(model=model, tier="cheap"), w.order(model), w.trace)
                assert isinstance(turn, CallSlot)
                with turn:
                    turn.permit.report_failure(fault)
        assert hearing.heard == [(FIRST, "open", "misconfigured"), (SECOND, "open", None)]

    asyncio.run(scenario())


def test_a_deployment_of_ones_own_has_a_circuit_of_its_own() -> None:
    """By its address, without what must not be logged."""
    base = {"params": {"api_base": "http://user:secret@10.0.0.7:8000/v1"}}
    w = World(models={FIRST: base})
    assert w.bulkhead.circuit(FIRST) == "openai/first@10.0.0.7:8000/v1"
    assert w.bulkhead.circuit(SECOND) == SECOND


def test_a_timeout_is_not_tried_again() -> None:
    """What time is left is the next candidate's: first token, and the whole attempt."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, Hangs())
        began = w.clock.monotonic()
        assert (await w.complete(w.order()))["model"] == "second"
        assert (w.clock.monotonic() - began, w.provider.calls[FIRST]) == (pytest.approx(30.0), 1)
        chunks = await w.read(w.order())
        assert chunks[-1]["model"] == "second"
        assert w.clock.monotonic() - began == pytest.approx(40.0)

    asyncio.run(scenario())


def test_the_retry_budget_keeps_an_outage_from_becoming_a_storm() -> None:
    """Two hundred calls at once of a failing model: a fifth of all calls are retries, no more."""

    async def scenario() -> None:
        w = World(breaker={"failures": 10_000}, models={FIRST: {"max_concurrency": 1000}})
        w.provider.say(FIRST, ProviderFailed("down", status=500))
        asks = [asyncio.ensure_future(w.chain.complete(w.order(FIRST), CallTrace())) for _ in range(200)]
        await w.clock.run(asyncio.gather(*asks, return_exceptions=True))
        assert 230 <= w.provider.calls[FIRST] <= 250

    asyncio.run(scenario())


def test_a_budget_of_nothing_retries_nothing() -> None:
    """And the next candidate is asked all the same."""

    async def scenario() -> None:
        w = World(retry={"budget": 0.0})
        w.provider.say(FIRST, ProviderFailed("down", status=500))
        assert (await w.complete(w.order()))["model"] == "second"
        assert w.provider.calls == {FIRST: 1, SECOND: 1}

    asyncio.run(scenario())


def test_a_timeout_that_our_own_deadline_cut_short_blames_nobody() -> None:
    """The second candidate had a second left: it is no more broken than it was. The first had its time."""

    async def scenario() -> None:
        w = World(retry={"deadline_s": 31.0, "attempts": 1}, breaker={"failures": 1})
        w.provider.say(FIRST, Hangs())
        w.provider.say(SECOND, Hangs())
        now = w.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await w.complete(dataclasses.replace(w.order(), deadline=now + 31.0))
        assert w.clock.monotonic() == now + 31.0
        assert w.bulkhead.look(FIRST) is not None
        assert w.bulkhead.look(SECOND) is None

    asyncio.run(scenario())


def test_a_deadline_shorter_than_the_timeout_still_finds_a_hanging_model() -> None:
    """Else a lone model that hangs would never be protected."""

    async def scenario() -> None:
        w = World(retry={"deadline_s": 2.0}, breaker={"failures": 2})
        w.provider.say(FIRST, Hangs())
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await w.complete(dataclasses.replace(w.order(FIRST), deadline=w.clock.monotonic() + 2.0))
        assert w.bulkhead.look(FIRST) is not None

    asyncio.run(scenario())


def test_a_stream_deadline_blames_nobody() -> None:
    """A slow reader, or a long answer, is not the provider's fault; a pause between chunks is."""

    async def scenario() -> None:
        w = World(breaker={"failures": 1}, models={FIRST: {"first_token_timeout_s": 30}})
        w.provider.say(FIRST, Says("", chunks=["a"] * 100, between_s=9.0))
        began = w.clock.monotonic()
        order = dataclasses.replace(w.order(FIRST), stream_deadline=began + 100)
        with pytest.raises(DeadlineExceeded):
            await w.read(order)
        # In the middle of its twelfth wait for a chunk.
        assert w.clock.monotonic() - began == 100
        assert w.bulkhead.look(FIRST) is None
        w.provider.say(FIRST, Says("", chunks=["a", "b"], between_s=11.0))
        with pytest.raises(DeadlineExceeded):
            await w.read(w.order(FIRST))
        assert w.bulkhead.look(FIRST) is not None

    asyncio.run(scenario())


def test_a_full_model_is_waited_for_and_then_passed_by() -> None:
    """One at once, one waits and is served, the third goes to the next candidate; waiting is told as waiting."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 1, "max_waiting": 1}})
        w.provider.say(FIRST, Says("slow", after_s=5))
        trips = [CallTrace(), CallTrace(), CallTrace()]
        asks = [asyncio.ensure_future(w.chain.complete(w.order(), trace)) for trace in trips]
        await w.clock.run(asyncio.gather(*asks))
        assert [ask.result()["model"] for ask in asks] == ["first", "first", "second"]
        assert [trace.waited_s for trace in trips] == [0, pytest.approx(5.0), 0]
        assert [(skip.model, skip.reason) for skip in trips[2].skipped] == [(FIRST, "full")]
        assert w.bulkhead.busy(FIRST) == 0

    asyncio.run(scenario())


def test_everybody_busy_is_told_as_overloaded() -> None:
    """503 with Retry-After, not as an outage."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 1, "max_waiting": 0}})
        w.provider.say(FIRST, Says("slow", after_s=5))
        first = asyncio.ensure_future(w.chain.complete(w.order(FIRST), CallTrace()))
        await settle()
        with pytest.raises(Overloaded) as excinfo:
            await w.complete(w.order(FIRST))
        assert (excinfo.value.status, excinfo.value.retry_after_s) == (503, 1.0)
        await w.clock.run(first)

    asyncio.run(scenario())


def test_waiting_ends_at_the_deadline() -> None:
    """504, and the chair is free again."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 1, "max_waiting": 1, "timeout_s": 100}})
        w.provider.say(FIRST, Says("slow", after_s=90))
        first = asyncio.ensure_future(
            w.chain.complete(dataclasses.replace(w.order(FIRST), deadline=w.clock.monotonic() + 100), CallTrace())
        )
        await settle()
        began = w.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await w.complete(w.order(FIRST))
        assert (w.clock.monotonic() - began, w.trace.waited_s) == (60, 60)
        await w.clock.run(first)
        assert w.bulkhead.busy(FIRST) == 0

    asyncio.run(scenario())


def test_a_circuit_that_opens_empties_its_waiting_room() -> None:
    """Nobody waits for a slot at a model that is known to be down: not one round of five after another."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 5, "max_waiting": 100, "timeout_s": 10}}, retry={"attempts": 1})
        w.provider.say(FIRST, Hangs())
        began = w.clock.monotonic()
        asks = [asyncio.ensure_future(w.chain.complete(w.order(), CallTrace())) for _ in range(60)]
        await w.clock.run(asyncio.gather(*asks))
        assert {ask.result()["model"] for ask in asks} == {"second"}
        # Four more had been handed a slot before the fifth failure.
        assert (w.clock.monotonic() - began, w.provider.calls[FIRST]) == (pytest.approx(20.0), 9)

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_call_holds_no_slot(stream: bool) -> None:
    """While calling and while waiting."""

    async def scenario() -> None:
        w = World(models={FIRST: {"max_concurrency": 1, "max_waiting": 1}})
        w.provider.say(FIRST, Hangs())

        async def ask() -> Any:
            if not stream:
                return await w.chain.complete(w.order(FIRST), CallTrace())
            return [chunk async for chunk in w.chain.stream(w.order(FIRST), CallTrace())]

        asks = [asyncio.ensure_future(ask()) for _ in range(2)]
        await settle()
        for each in reversed(asks):
            each.cancel()
        await settle()
        assert (w.bulkhead.busy(FIRST), w.provider.open) == (0, 0)

    asyncio.run(scenario())


def test_what_a_broken_stream_said_is_billed_also_when_its_reader_left() -> None:
    """The words that came were made and are paid for."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, Says("", chunks=["many words here "] * 10, between_s=1))
        stream = w.chain.stream(w.order(FIRST), w.trace)
        for _ in range(3):
            await w.clock.run(asyncio.ensure_future(anext(stream)))
        await stream.aclose()
        (attempt,) = w.trace.attempts
        assert attempt.error == "cancelled"
        assert attempt.usage is not None
        assert attempt.usage.completion_tokens > 0

    asyncio.run(scenario())


def test_a_providers_own_parameters_travel_in_the_body() -> None:
    """Never as arguments of the call: `api_base` from a caller must not lead elsewhere."""

    async def scenario() -> None:
        w = World()
        await w.complete(w.order(FIRST, params={"temperature": 0}, extra={"api_base": "http://evil.test", "top_k": 3}))
        assert w.provider.seen[0].params == {
            "temperature": 0,
            "extra_body": {"api_base": "http://evil.test", "top_k": 3},
        }

    asyncio.run(scenario())


async def _read_into(received: list[Any], w: World) -> None:
    async for item in w.chain.stream(w.order(FIRST), w.trace):
        received.append(item)
        assert len(received) < 1000


class Endless(ScriptedProvider):
    """A stream without end whose next chunk is always here: reading it never waits. A second passes with each."""

    content = "a "

    async def stream(self, call: ProviderCall) -> Any:
        while True:
            yield chunk({"content": self.content}, model="m")
            self._clock._now += 1.0  # type: ignore[union-attr]


class EndlesslyNothing(Endless):
    """One whose chunks never bear content."""

    content = ""


def test_a_stream_that_never_waits_ends_at_its_deadline() -> None:
    """No timer fires there; nobody but the deadline is to blame, and the model's circuit is not moved."""

    async def scenario() -> None:
        w = World(provider=Endless, breaker={"failures": 1})
        received: list[Any] = []
        with pytest.raises(DeadlineExceeded):
            await _read_into(received, w)
        assert 590 < len(received) < 610
        assert w.trace.attempts[-1].error == "timeout"
        assert w.bulkhead.look(FIRST) is None

    asyncio.run(scenario())


def test_a_stream_that_never_waits_and_never_begins_fails_its_attempt() -> None:
    """At the time by which the first content must be here."""

    async def scenario() -> None:
        w = World(provider=EndlesslyNothing)
        with pytest.raises(ServedError):
            await _read_into([], w)
        assert w.trace.attempts[-1].error == "timeout"
        assert w.trace.attempts[-1].duration_s < 15

    asyncio.run(scenario())
