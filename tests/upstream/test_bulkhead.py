"""The way in to a model: whatever happens on it, the place that was taken is free again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.test_chain import FIRST, Silent
from turnout.attempt_errors import Misconfigured
from turnout.settings import Settings
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.testing import ManualClock
from turnout.upstream.bulkhead import Bulkhead, CallSlot, Unavailable
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall

CANDIDATE = Candidate(model=FIRST, tier="cheap")


def call(clock: ManualClock, **more: Any) -> UpstreamCall:
    now = clock.monotonic()
    return UpstreamCall(messages=(), candidates=(CANDIDATE,), deadline=now + 60, stream_deadline=now + 600, **more)


class NeverGranted(MemoryCircuitStore):
    """A circuit store that never answers a claim."""

    async def claim(self, name: str, lease_s: float) -> bool:
        await asyncio.Event().wait()
        return True


def bulkhead(clock: ManualClock, circuit_store: MemoryCircuitStore | None = None) -> Bulkhead:
    settings = Settings.from_mapping(
        {"tiers": {"cheap": {"models": [FIRST]}, "expensive": {"models": ["openai/dear"]}}, "breaker": {"reset_s": 30}}
    )
    return Bulkhead(settings=settings, clock=clock, observer=Silent(), circuit_store=circuit_store)


async def opened(clock: ManualClock, circuit_store: MemoryCircuitStore | None = None) -> Bulkhead:
    """A bulkhead whose model has refused our key."""
    made = bulkhead(clock, circuit_store)
    slot = await made.enter(CANDIDATE, call(clock), CallTrace())
    assert isinstance(slot, CallSlot)
    with slot:
        slot.permit.report_failure(Misconfigured("no", status=401))
    return made


def test_a_call_that_its_circuit_refuses_keeps_no_place() -> None:
    """Refused after a place was taken: the place is given back."""

    async def scenario() -> None:
        clock = ManualClock()
        made = await opened(clock)
        assert isinstance(await made.enter(CANDIDATE, call(clock), CallTrace()), Unavailable)
        assert made.busy(FIRST) == 0

    asyncio.run(scenario())


def test_a_call_that_is_cancelled_while_it_claims_the_probe_keeps_no_place() -> None:
    """Its caller left while the store was asked: the place is given back."""

    async def scenario() -> None:
        clock = ManualClock()
        made = await opened(clock, NeverGranted(clock=clock))
        await clock.advance(31)
        entering = asyncio.ensure_future(made.enter(CANDIDATE, call(clock), CallTrace()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert made.busy(FIRST) == 1
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert made.busy(FIRST) == 0

    asyncio.run(scenario())
