"""The gate, asked on a request's way in and left on its way out: nothing that it reserves is left behind."""

from __future__ import annotations

import asyncio
from typing import Any

from turnout.pipeline.bill import refusal
from turnout.pipeline.budget_alerts import BudgetAlerts
from turnout.pipeline.call import Call
from turnout.ports.admission import Ask, Gate, Lead, Settlement, Verdict
from turnout.ports.limits import BudgetRefused, RateRefused
from turnout.ports.runtime import Clock
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.bulkhead import Bulkhead

# How long settling may take when the loop is already closing.
SETTLE_S = 5.0


class Admission:
    """Every request's way through the gate."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        gate: Gate,
        bulkhead: Bulkhead,
        budget_alerts: BudgetAlerts | None,
        router: Router,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._bulkhead = bulkhead
        self._budget_alerts = budget_alerts
        self._router = router

    async def enter(self, call: Call, ask: Ask) -> Verdict:
        """The gate's verdict. Whoever leaves while it is asked leaves no reservation behind."""
        asked_at = self._clock.monotonic()
        if not call.reservation.bounded:
            entry = await self._gate.enter(ask)
        else:
            entering = asyncio.ensure_future(self._gate.enter(ask))
            try:
                entry = await asyncio.shield(entering)
            except asyncio.CancelledError:
                await asyncio.wait({entering}, timeout=SETTLE_S)
                if (
                    entering.done()
                    and entering.exception() is None
                    and isinstance(lead := entering.result().verdict, Lead)
                ):
                    await self.settle(Settlement(key=ask.key, lease=lead.lease))
                raise
        self._bulkhead.absorb(entry.circuits, asked_at)
        if ask.share_store:
            self._router.note_debt(entry.debt)
        call.reservation.entered(entry)
        if isinstance(entry.verdict, BudgetRefused) and self._budget_alerts is not None:
            await self._budget_alerts.refused(entry.budgets, entry.verdict.claim, call.token)
        return entry.verdict

    async def reserve_apart(self, call: Call) -> None:
        """Reserves for a call that nobody may join. Its request is counted already. Raises what refuses it."""
        if call.reservation.bounded:
            verdict = await self.enter(
                call, call.reservation.again(Ask(lease_s=self._settings.retry.lease_s(stream=call.request.stream)))
            )
            if isinstance(verdict, RateRefused | BudgetRefused):
                raise refusal(verdict)

    async def settle(self, settlement: Settlement, token: Any = None) -> None:
        """Leaves the gate whatever happens: a cancellation waits for it, bounded."""
        leaving = asyncio.ensure_future(self._leave(settlement, token))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait({leaving}, timeout=SETTLE_S)
            raise

    async def _leave(self, settlement: Settlement, token: Any) -> None:
        states = await self._gate.leave(settlement)
        if states and self._budget_alerts is not None:
            await self._budget_alerts.look(states, token)
