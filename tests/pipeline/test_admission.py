"""Entering and leaving the gate: a cancelled task leaves nothing reserved and nothing unsettled."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.pipeline.world import CHEAP, World, run
from turnout.attempt_errors import ProviderFailed
from turnout.openai.requests import from_call
from turnout.ports.admission import Ask, Entry, Settlement
from turnout.ports.limits import BudgetState
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import settle
from turnout.turnout import Turnout


class HeldGate(MemoryGate):
    """A gate that holds back one of its verbs until it is let go, as a slow store would."""

    def __init__(self, world: World, holds: str) -> None:
        super().__init__(clock=world.clock, max_entries=10, max_bytes=10_000, lease_s=60.0)
        self._holds = holds
        self.released = asyncio.Event()
        self.begun = 0
        self.settled: list[Settlement] = []

    async def enter(self, ask: Ask) -> Entry:
        entry = await super().enter(ask)
        await self._hold("enter")
        return entry

    async def leave(self, settlement: Settlement) -> tuple[BudgetState, ...]:
        await self._hold("leave")
        self.settled.append(settlement)
        return await super().leave(settlement)

    async def _hold(self, verb: str) -> None:
        if verb == self._holds:
            self.begun += 1
            await self.released.wait()


@pytest.mark.parametrize("holds", ["leave", "enter"])
def test_a_caller_who_goes_while_the_gate_is_slow_is_settled_all_the_same(holds: str) -> None:
    """Cancelled in the middle of either verb, the settlement still completes and gives the reservation's lease back."""

    async def scenario(w: World) -> None:
        gate = HeldGate(w, holds)
        settings = w.turnout.settings
        turnout = Turnout(settings, clock=w.clock, provider=w.provider, scorer=w.scorer, gate=gate)
        w.provider.say(CHEAP, ProviderFailed("no"))
        request = from_call("easy", stream=False, params={"model": CHEAP})
        work = asyncio.ensure_future(turnout.completed(request, w.context()))
        await settle()
        assert gate.begun == 1
        work.cancel()
        await settle()
        gate.released.set()
        with pytest.raises(asyncio.CancelledError):
            await work
        await settle()
        assert [bool(settlement.lease) for settlement in gate.settled] == [True]
        await turnout.aclose()

    run(scenario, budgets={"total": "1/day"}, retry={"attempts": 1})


@pytest.mark.parametrize("stored_first", [True, False])
def test_an_answer_that_is_to_be_stored_first_is_given_once_it_is(stored_first: bool) -> None:
    """While the store is slow others have it already."""

    async def scenario(w: World) -> None:
        gate = HeldGate(w, "leave")
        turnout = Turnout(w.turnout.settings, clock=w.clock, provider=w.provider, scorer=w.scorer, gate=gate)
        context = replace(w.context(), stored_first=stored_first)
        work = asyncio.ensure_future(turnout.completed(from_call("easy", stream=False, params={}), context))
        await settle()
        assert (gate.begun, work.done()) == (1, not stored_first)
        gate.released.set()
        assert (await work).text == "ok"
        await turnout.aclose()

    run(scenario)
