"""Every fault of a real provider over real HTTP, plain and streamed: failed over, told to the circuit, left closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import time
from typing import Any

import pytest

from tests.support.provider import MODES, LoopbackProvider
from turnout import Turnout
from turnout.attempt_errors import NotConnected
from turnout.errors import ServedError
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.testing import ManualClock
from turnout.upstream.transports import provider_from

SICK, WELL = "openai/sick", "openai/well"
FAULTS = [mode for mode in MODES if mode not in ("ok", "slow", "no_usage", "endless")]


@pytest.fixture(params=["direct", "litellm"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each way out to the providers."""
    name: str = request.param
    return name


def config(provider: LoopbackProvider, transport: str, **sections: Any) -> dict[str, Any]:
    called = {
        "params": {"api_base": provider.base_url},
        "timeout_s": 0.5,
        "first_token_timeout_s": 0.4,
        "chunk_timeout_s": 0.4,
        "connect_timeout_s": 0.3,
    }
    return {
        "tiers": {"cheap": {"models": [SICK, WELL]}, "expensive": {"models": ["openai/dear"]}},
        "models": {SICK: called, WELL: called},
        "routing": {"threshold": 0.99},
        "retry": {"attempts": 1, "base_s": 0.001, "cap_s": 0.01},
        "upstream": {"transport": transport},
        **sections,
    }


async def asked(turnout: Turnout, text: str, *, stream: bool) -> Any:
    """The outcome of a request, read to its end."""
    if not stream:
        return (await turnout.complete(text)).outcome
    chunks = turnout.stream(text)
    try:
        async for _ in chunks:
            pass
    except ServedError:
        assert chunks.outcome is not None
    return chunks.outcome


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", [*FAULTS, "500", "503:60"])
def test_every_fault_counts_and_before_any_content_another_model_answers(
    transport: str, provider: LoopbackProvider, mode: str, stream: bool
) -> None:
    """The circuit takes each for a failure, but for an answer of nothing, which a caller may cause; what has begun ends
    as an error, what has not fails over; no call is left running at the provider."""

    async def scenario() -> None:
        async with Turnout(config(provider, transport)) as turnout:
            provider.modes["sick"] = mode
            outcome = await asked(turnout, "x", stream=stream)
            begun = stream and mode in (
                *("truncated", "cut", "half_frame", "hang_between", "drip_between", "reset_between"),
            )
            assert (outcome.model, outcome.error is not None) == ((SICK, True) if begun else (WELL, False))
            counts = mode != "no_choices"
            assert turnout.bulkhead.guard.state(turnout.bulkhead.circuit(SICK)).failures == counts
            await _until(lambda: provider.active["sick"] == 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ["401", "402", "403", "404", "405"])
def test_a_model_set_up_wrong_is_asked_once_and_then_left_alone(
    transport: str, provider: LoopbackProvider, status: str, stream: bool
) -> None:
    """Another answers at once, and the log says what to check; when the probe's time comes it is found mended."""

    async def scenario() -> None:
        clock = ManualClock()
        async with Turnout(config(provider, transport), clock=clock) as turnout:
            provider.modes["sick"] = status
            outcomes = [await asked(turnout, f"x{number}", stream=stream) for number in range(5)]
            assert [outcome.model for outcome in outcomes] == [WELL] * 5
            assert outcomes[0].attempts[0].error == "misconfigured"
            assert [skip.reason for skip in outcomes[-1].skipped] == ["misconfigured"]
            assert provider.calls == {"sick": 1, "well": 5}
            provider.modes["sick"] = "ok"
            await clock.advance(30)
            assert (await asked(turnout, "mended", stream=stream)).model == SICK

    asyncio.run(scenario())


@pytest.mark.parametrize(("status", "left_alone"), [("401", True), ("403", False), ("404", False)])
def test_denied_requests_do_not_take_a_model_that_answers_from_the_others(
    transport: str, provider: LoopbackProvider, status: str, left_alone: bool
) -> None:
    """Some providers answer so to what the request holds, however many come in a row; a key that is refused is refused
    for all."""

    async def scenario() -> None:
        async with Turnout(config(provider, transport), clock=ManualClock()) as turnout:
            assert (await asked(turnout, "well", stream=False)).model == SICK
            provider.modes["sick"] = status
            for number in range(2 * turnout.settings.breaker.failures):
                assert (await asked(turnout, f"flagged {number}", stream=False)).model == WELL
            provider.modes["sick"] = "ok"
            assert (await asked(turnout, "well again", stream=False)).model == (WELL if left_alone else SICK)

    asyncio.run(scenario())


def test_a_parameter_that_a_model_does_not_know_says_nothing_about_the_model(
    transport: str, provider: LoopbackProvider
) -> None:
    """litellm refuses it before it calls; the next model answers, and the first is asked again."""
    strict = "anthropic/strict"

    async def scenario() -> None:
        sections = config(provider, transport)
        sections["tiers"] = {"cheap": {"models": [strict, WELL]}, "expensive": {"models": ["openai/dear"]}}
        sections["models"] = {strict: sections["models"][SICK], WELL: sections["models"][WELL]}
        async with Turnout(sections) as turnout:
            for number in range(3):
                outcome = (await turnout.complete(f"x{number}", logit_bias={"1": 1})).outcome
                assert (outcome.model, outcome.attempts[0].error) == (WELL, "misconfigured")
                assert (outcome.attempts[0].model, outcome.skipped) == (strict, ())

    asyncio.run(scenario())


def test_an_address_that_swallows_connections_ends_by_the_connect_timeout(transport: str) -> None:
    """A listener whose backlog is full: nothing answers, not even a reset."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    full = [socket.socket() for _ in range(3)]
    for each in full:
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.connect(listening.getsockname())
    base = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"

    async def scenario() -> float:
        settings = Settings.from_mapping(
            {
                "tiers": {"cheap": {"models": [SICK]}, "expensive": {"models": [WELL]}},
                "models": {SICK: {"params": {"api_base": base}}},
                "upstream": {"transport": transport},
            }
        )
        provider = provider_from(settings)
        await provider.load()
        call = ProviderCall(
            model=SICK, messages=({"role": "user", "content": "x"},), timeout_s=20.0, connect_timeout_s=0.3
        )
        began = time.monotonic()
        with pytest.raises(NotConnected):
            await provider.complete(call)
        await provider.close()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 5.0
    for each in (*full, listening):
        each.close()


def test_three_hundred_requests_leave_no_connection_open(transport: str, provider: LoopbackProvider) -> None:
    """Random faults, cancellations and departures over real HTTP: no call, slot, task or connection is left."""
    chance = random.Random(3)

    async def one(turnout: Turnout, number: int) -> None:
        with contextlib.suppress(ServedError):
            if chance.random() < 0.5:
                await turnout.complete(f"question {number}")
                return
            async with turnout.stream(f"question {number}") as chunks:
                left = chance.choice([1, 2, 100])
                async for _ in chunks:
                    left -= 1
                    if not left:
                        break

    async def scenario() -> None:
        limits = {"breaker": {"failures": 5, "reset_s": 0.2}}
        async with Turnout(config(provider, transport, **limits)) as turnout:
            for number in range(0, 300, 20):
                provider.modes["sick"] = chance.choice([*FAULTS, "ok", "ok", "500@0.5", "429:0.2"])
                provider.modes["well"] = chance.choice(["ok", "ok", "500@0.3", "slow:0.1"])
                crowd = [asyncio.ensure_future(one(turnout, number + index)) for index in range(20)]
                await asyncio.sleep(0.02)
                for each in crowd:
                    if chance.random() < 0.2:
                        each.cancel()
                await asyncio.wait(crowd)
                for each in crowd:
                    assert each.cancelled() or each.exception() is None
            for name in (SICK, WELL):
                assert turnout.bulkhead.busy(name) == 0
            provider.modes["sick"] = provider.modes["well"] = "ok"
            await asyncio.sleep(0.3)
            for name in (SICK, WELL):
                assert (await turnout.complete(f"again {name}", model=name)).outcome.model == name
                assert turnout.bulkhead.look(name) is None
        gc.collect()
        await _until(lambda: provider.connections == 0)
        assert not provider.active.total()
        assert not [task for task in asyncio.all_tasks() - {asyncio.current_task()} if not _is_litellms(task)]

    asyncio.run(scenario())


def _is_litellms(task: asyncio.Task[Any] | None) -> bool:
    """Whether litellm closes a client of an earlier test, which was collected meanwhile."""
    return task is not None and "_close_client_at_finalization" in repr(task.get_coro())


async def _until(true: Any) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("still not so after 3 s")
