"""Processes that share a Redis, each a Turnout of its own here: one call for all of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.attempt_errors import ProviderFailed
from turnout.context import Caller
from turnout.testing import FixedScorer, Hangs, Says, ScriptedProvider

ANN = Caller(user="ann", endpoint="/ask")
CHEAP = "openai/small"


class Shared:
    """Turnouts on one Redis and one provider."""

    def __init__(self, server: RedisServer, **sections: Any) -> None:
        self.provider = ScriptedProvider()
        self._config = {
            "tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": ["openai/large"]}},
            "models": {
                name: {"input_usd_per_million": 1, "output_usd_per_million": 10} for name in (CHEAP, "openai/large")
            },
            "routing": {"threshold": 0.5},
            "retry": {"attempts": 1},
            # Patient: a busy machine is no outage.
            "redis": {"url": server.url, "prefix": f"test-{secrets.token_hex(6)}", "timeout_s": 5.0},
            **sections,
        }
        self.turnouts: list[Turnout] = []

    def process(self) -> Turnout:
        turnout = Turnout(self._config, provider=self.provider, scorer=FixedScorer(0.1))
        self.turnouts.append(turnout)
        return turnout


@pytest.fixture
def run(redis_server: RedisServer) -> Callable[[Callable[[Shared], Awaitable[None]]], None]:
    """Runs a scenario and holds afterwards that nothing is left over."""

    def run(scenario: Callable[[Shared], Awaitable[None]]) -> None:
        async def main() -> None:
            shared = Shared(redis_server)
            try:
                await asyncio.wait_for(scenario(shared), 20)
            finally:
                for turnout in shared.turnouts:
                    await turnout.aclose()
            assert shared.provider.open == 0
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())

    return run


Found = TypeVar("Found")


async def _until(found: Callable[[], Found]) -> Found:
    while not (it := found()):  # noqa: ASYNC110 - what it waits for happens in another object's own tasks
        await asyncio.sleep(0.005)
    return it


async def word(stream: Any) -> str:
    """The stream's next words, past what bears none."""
    text = ""
    while not text:
        text = (await anext(stream)).text
    return text


async def read(stream: Any) -> str:
    return "".join([chunk.text async for chunk in stream])


Run = Callable[[Callable[[Shared], Awaitable[None]]], None]


class Gated(ScriptedProvider):
    """A provider that holds every answer back until it is let go; a stream after its first word."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def complete(self, call: Any) -> Any:
        self.open += 1
        try:
            await self.let.wait()
        finally:
            self.open -= 1
        return await super().complete(call)

    async def stream(self, call: Any) -> Any:
        first = True
        async for chunk in super().stream(call):
            yield chunk
            if first and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                first = False
                await self.let.wait()


def test_an_answer_of_one_process_is_a_hit_for_another(run: Run) -> None:
    """With the decision that was made for it, and its age."""

    async def scenario(s: Shared) -> None:
        one, two = s.process(), s.process()
        await one.complete("q", caller=ANN)
        hit = await two.complete("q", caller=ANN)
        assert (hit.outcome.cache, hit.text) == ("hit", "ok")
        assert s.provider.calls.total() == 1

    run(scenario)


def test_a_call_in_flight_is_shared_by_all_processes(run: Run) -> None:
    """Many callers in four processes: one call, one who pays."""

    async def scenario(s: Shared) -> None:
        s.provider = Gated()
        processes = [s.process() for _ in range(4)]
        asked = [asyncio.create_task(p.complete("q", caller=ANN)) for p in processes for _ in range(25)]
        await _until(lambda: any(followed(process, by=3)() for process in processes))
        s.provider.let.set()
        outcomes = [answer.outcome for answer in await asyncio.gather(*asked)]
        assert sorted(o.cache for o in outcomes) == ["collapsed"] * 99 + ["miss_stored"]
        assert s.provider.calls.total() == 1
        assert sum(o.cost_usd > 0 for o in outcomes) == 1

    run(scenario)


def test_a_running_stream_is_joined_from_its_first_chunk(run: Run) -> None:
    """By another process, and while it runs."""

    async def scenario(s: Shared) -> None:
        s.provider = Gated()
        s.provider.say(CHEAP, Says("one two three"))
        first = s.process().stream("q", caller=ANN)
        begun = await word(first)
        second = s.process().stream("q", caller=ANN)
        joined = await word(second)
        assert begun == joined == "one"
        assert second.outcome is not None
        assert (second.outcome.cache, second.outcome.model) == ("collapsed", CHEAP)
        s.provider.let.set()
        assert (await read(first), await read(second)) == (" two three", " two three")
        assert s.provider.calls.total() == 1

    run(scenario)


def test_whole_and_stream_share_one_flight_across_processes(run: Run) -> None:
    """A stream follows a whole call, and a whole answer follows a stream."""

    async def scenario(s: Shared) -> None:
        s.provider = Gated()
        s.provider.say(CHEAP, Says("one two"))
        one, two = s.process(), s.process()
        whole = asyncio.create_task(one.complete("q", caller=ANN))
        await _until(lambda: s.provider.open == 1)
        stream = asyncio.create_task(read(two.stream("q", caller=ANN)))
        await _until(followed(one))
        s.provider.let.set()
        assert ((await whole).text, await stream) == ("one two", "one two")
        s.provider.let.clear()
        leads = one.stream("r", caller=ANN)
        await word(leads)
        follows = asyncio.create_task(two.complete("r", caller=ANN))
        await _until(followed(one))
        s.provider.let.set()
        await read(leads)
        assert (await follows).text == "one two"
        assert s.provider.calls.total() == 2

    run(scenario)


def test_the_call_goes_on_for_a_listener_in_another_process(run: Run) -> None:
    """Its own caller leaves: the other has its answer. The last one leaves: the call ends."""

    async def scenario(s: Shared) -> None:
        s.provider = Gated()
        one, two = s.process(), s.process()
        leads = asyncio.create_task(one.complete("q", caller=ANN))
        await _until(lambda: s.provider.open == 1)
        follows = asyncio.create_task(two.complete("q", caller=ANN))
        await _until(followed(one))
        leads.cancel()
        await asyncio.wait({leads})
        assert s.provider.open == 1
        s.provider.let.set()
        assert (await follows).text == "ok"

        s.provider.let.clear()
        leads = asyncio.create_task(one.complete("r", caller=ANN))
        await _until(lambda: s.provider.open == 1)
        follows = asyncio.create_task(two.complete("r", caller=ANN))
        await _until(followed(one))
        leads.cancel()
        follows.cancel()
        await _until(lambda: s.provider.open == 0)
        assert s.provider.calls.total() == 1

    run(scenario)


def test_a_failure_is_told_to_every_process(run: Run) -> None:
    """The same error, once called for."""

    async def scenario(s: Shared) -> None:
        s.provider.say(CHEAP, Says(after_s=0.0, breaks=ProviderFailed("no", status=500)))
        gate = asyncio.Event()
        inner = s.provider.complete

        class Late(ScriptedProvider):
            async def complete(self, call: Any) -> Any:
                await gate.wait()
                return await inner(call)

        calls, s.provider = s.provider.calls, Late()
        one, two = s.process(), s.process()
        leads = asyncio.create_task(one.complete("q", caller=ANN))
        await _until(lambda: any(held.key for held in _client(one).flights._held.values()))
        follows = asyncio.create_task(two.complete("q", caller=ANN))
        await _until(followed(one))
        gate.set()
        errors = await asyncio.gather(leads, follows, return_exceptions=True)
        assert [type(e).__name__ for e in errors] == ["UpstreamUnavailable"] * 2
        assert calls.total() == 1

    run(scenario)


def test_when_the_holder_is_gone_the_next_one_makes_the_call(run: Run) -> None:
    """A process that died says nothing: its lease ends, exactly one of its followers takes over."""

    async def scenario(s: Shared) -> None:
        dead = s.process()
        s.provider.say(CHEAP, Hangs(), "ok")
        lost = asyncio.create_task(dead.complete("q", caller=ANN))
        await _until(lambda: s.provider.open == 1)
        rest = [s.process(), s.process()]
        asked = [asyncio.create_task(p.complete("q", caller=ANN)) for p in rest for _ in range(10)]
        await _until(followed(dead, by=2))
        await _die(dead)
        outcomes = [answer.outcome for answer in await asyncio.gather(*asked)]
        assert s.provider.calls.total() == 2
        assert sum(o.cost_usd > 0 for o in outcomes) == 1
        lost.cancel()
        await asyncio.wait({lost})

    run(scenario)


def _client(turnout: Turnout) -> Any:
    return turnout._stores.gate._shared._client.here()  # type: ignore[attr-defined]


def followed(turnout: Turnout, by: int = 1) -> Callable[[], bool]:
    """Whether so many flights of other processes listen to this one's."""
    return lambda: len(_client(turnout).flights._senders) == by


async def _die(turnout: Turnout) -> None:
    """As a kill does: no heartbeat, no message, no settlement."""
    client = _client(turnout)
    client.heartbeat._task.cancel()
    for sender in client.flights._senders.values():
        sender.cancel()
    await client.session._disconnect()


def test_users_share_no_answer_and_no_flight(run: Run) -> None:
    """Also across processes."""

    async def scenario(s: Shared) -> None:
        one, two = s.process(), s.process()
        await one.complete("q", caller=ANN)
        other = await two.complete("q", caller=Caller(user="bob"))
        assert other.outcome.cache == "miss_stored"
        assert s.provider.calls.total() == 2

    run(scenario)
