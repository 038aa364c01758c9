"""The chain on the scripted provider and the manual clock: who is called, when, and why not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from turnout.errors import ProviderFailed, ServedError
from turnout.outcome import Attempt
from turnout.ports import ProviderCall
from turnout.settings import Settings
from turnout.testing import ManualClock, ScriptedProvider
from turnout.upstream.chain import Candidate, Chain, Order, Trip

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

    def __init__(self, **sections: Any) -> None:
        self.settings = Settings.from_mapping(
            {"tiers": {"cheap": {"models": [FIRST, SECOND]}, "expensive": {"models": ["openai/dear"]}}, **sections}
        )
        self.clock = ManualClock()
        self.provider = ScriptedProvider(clock=self.clock)
        self.trip = Trip()
        self.chain = Chain(
            provider=self.provider,
            clock=self.clock,
            observer=Silent(),
            settings=self.settings,
            prices=dict,
            rng=lambda: 0.5,
        )

    def order(self, *models: str, **more: Any) -> Order:
        now = self.clock.monotonic()
        return Order(
            messages=({"role": "user", "content": "x"},),
            candidates=tuple(Candidate(model=model, tier="cheap") for model in models or (FIRST, SECOND)),
            deadline=now + 60,
            stream_deadline=now + 600,
            **more,
        )

    async def complete(self, order: Order) -> Any:
        work = asyncio.ensure_future(self.chain.complete(order, self.trip))
        await self.clock.run(work)
        return work.result()


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
        assert [(skip.model, skip.reason) for skip in w.trip.skipped] == [(FIRST, "budget")]

    asyncio.run(scenario())


def test_nothing_affordable_is_the_last_failure() -> None:
    """Where no room is left for anybody, the caller is told that nobody could answer."""

    async def scenario() -> None:
        w = World()
        w.provider.say(FIRST, ProviderFailed("no", status=500))

        async def afford(candidate: Candidate) -> bool:
            return False

        with pytest.raises(ServedError) as told:
            await w.complete(w.order(afford=afford))
        assert told.value.told_code == "upstream_unavailable"
        assert w.provider.calls == {FIRST: 1}

    asyncio.run(scenario())


def test_loading_is_not_taken_for_a_slow_model() -> None:
    """What a new process still has to import counts for the deadline, not for an attempt."""

    async def scenario() -> None:
        w = World()

        class Slow(ScriptedProvider):
            async def load(self) -> None:
                await w.clock.sleep(45.0)

        provider = Slow(clock=w.clock)
        w.chain = Chain(
            provider=provider, clock=w.clock, observer=Silent(), settings=w.settings, prices=dict, rng=lambda: 0.5
        )
        await w.complete(w.order())
        assert provider.calls == {FIRST: 1}
        assert [attempt.duration_s for attempt in w.trip.attempts] == [0.0]

    asyncio.run(scenario())
