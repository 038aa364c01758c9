"""Entering the gate on a request's way in and leaving it on its way out: a cancelled task leaves nothing reserved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from turnout.context import Caller
from turnout.pipeline.call import Call, Collaborators
from turnout.pipeline.reservation import Reservation
from turnout.ports.admission import Ask, Entry, GateVerdict, Lead, Settlement
from turnout.ports.limits import BudgetRefused, BudgetState, RateRefused
from turnout.quota.policies import Policies
from turnout.quota.rate_headers import HeaderPairs, rate_headers
from turnout.quota.refusals import refusal_error
from turnout.settings import LEASE_MARGIN_S

# How long a cancelled task waits for the gate.
SETTLE_S = 5.0


class Admission:
    """Enters and leaves the gate for requests."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._settings = collaborators.settings
        self._clock = collaborators.clock
        self._gate = collaborators.gate
        self._bulkhead = collaborators.bulkhead
        self._router = collaborators.router
        self._conversations = collaborators.conversations
        self._budget_alerts = collaborators.budget_alerts
        self._policies = Policies(collaborators.settings)

    def ask(self, call: Call) -> Ask:
        """What this request asks of the gate, without what it claims of limits and budgets."""
        directives = call.context.directives
        return Ask(
            key=call.key,
            lookup=not directives.no_cache,
            collapse=not directives.no_cache,
            max_age_s=directives.oldest_s(self._settings.cache.ttl_s),
            lease_s=self._lease_s(call),
            circuits=self._bulkhead.shared,
            share_name=self._router.share_name,
            pin=self._conversations.pin_key(call.conversation),
        )

    async def enter(self, call: Call, ask: Ask) -> GateVerdict:
        """The gate's verdict. A task that is cancelled meanwhile leaves no reservation behind."""
        entry = await self.enter_with(ask, call.reservation, call.token)
        if ask.share_name:
            self._router.note_debt(entry.debt)
        if call.conversation is not None:
            call.conversation.stored = entry.pin
        return entry.verdict

    async def enter_with(self, ask: Ask, reservation: Reservation, token: Any) -> Entry:
        """The gate's entry, noted by the reservation and the circuits; see `enter`."""
        asked_at = self._clock.monotonic()
        if not reservation.leased:
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
        reservation.record_entry(entry)
        if isinstance(entry.verdict, BudgetRefused):
            await self._budget_alerts.check_refused(entry.budgets, entry.verdict.claim, token)
        return entry

    async def look_up(self, call: Call, ask: Ask) -> GateVerdict:
        """The gate's verdict on a request that no model may answer: counted at the limits of requests, holding nothing
        of budgets, and joining nobody. A Lead is to be settled."""
        requests = tuple(claim for claim in self._policies.rates(call.context.caller) if claim.unit == "requests")
        entry = await self._gate.enter(
            Ask(
                key=ask.key,
                lookup=ask.lookup,
                collapse=False,
                max_age_s=ask.max_age_s,
                rates=requests,
                lease_s=LEASE_MARGIN_S,
            )
        )
        refused = entry.verdict if isinstance(entry.verdict, RateRefused) else None
        call.reservation.headers = rate_headers(entry.rates, refused)
        return entry.verdict

    async def reserve_uncoalesced(self, call: Call) -> None:
        """Reserves for a call that nobody may join; its request is counted already. Raises ServedError."""
        if call.reservation.leased:
            verdict = await self.enter(call, call.reservation.claim_call(Ask(lease_s=self._lease_s(call))))
            if isinstance(verdict, RateRefused | BudgetRefused):
                raise refusal_error(verdict)

    async def settle(self, settlement: Settlement, token: Any = None) -> None:
        """Leaves the gate; a cancellation of this task waits for it, bounded."""
        leaving = asyncio.ensure_future(self._leave(settlement, token))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait({leaving}, timeout=SETTLE_S)
            raise

    async def admit_endpoint(self, caller: Caller) -> tuple[Sequence[BudgetState], HeaderPairs]:
        """Counts a request of the app's own endpoint, and sees that no budget is used up; its budgets and rate headers.

        Nothing stays reserved: what the app's own client spends is not known here. Raises ServedError.
        """
        caller = replace(caller, admitted=False)
        rates = tuple(claim for claim in self._policies.rates(caller) if claim.unit == "requests")
        budgets = self._policies.budgets(caller, self._clock.time())
        if not (rates or budgets):
            return (), ()
        entry = await self._gate.enter(Ask(rates=rates, budgets=budgets, worst=(1,), lease_s=LEASE_MARGIN_S))
        verdict = entry.verdict
        headers = rate_headers(entry.rates, verdict if isinstance(verdict, RateRefused) else None)
        if isinstance(verdict, RateRefused | BudgetRefused):
            error = refusal_error(verdict)
            error.headers = (*error.headers, *headers)
            raise error
        if isinstance(verdict, Lead):
            await self._gate.leave(Settlement(key=None, lease=verdict.lease, budgets=budgets))
        return entry.budgets, headers

    async def _leave(self, settlement: Settlement, token: Any) -> None:
        states = await self._gate.leave(settlement)
        if states:
            await self._budget_alerts.check(states, token)

    def _lease_s(self, call: Call) -> float:
        return self._settings.retry.lease_s(stream=call.request.stream)
