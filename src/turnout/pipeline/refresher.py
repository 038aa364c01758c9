"""Renews answers that are asked for shortly before they expire, off their callers' path: one call over all workers.

A hit in the last share of an answer's life begins it. The renewal enters the gate as a request does that accepts only
an answer younger than that: where another worker has renewed it there is one, and where another is renewing it there is
a flight; in both cases nothing is left to do. Requests meanwhile hit the old answer; once it expires, they join the
flight.
"""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import replace
from typing import Any

from turnout.context import REFRESH_USER, Caller, Directives, new_request_id, patiently
from turnout.errors import ServedError
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import Call, CallState, Collaborators
from turnout.pipeline.leader import Leader
from turnout.pipeline.outcomes import OutcomeReporter, flight_answer
from turnout.pipeline.reservation import Reservations
from turnout.ports.admission import Lead

# Renewals under way in one process, at most: requests go first.
AT_ONCE = 8
# Of the span in which an answer may be renewed, how much passes between two tries of one process.
RETRY_SHARE = 0.25
# Keys whose last try is remembered.
REMEMBERED = 10_000


class Refresher:
    """Renews answers older than `after_s`; the rest of their life is `span_s`."""

    def __init__(
        self,
        collaborators: Collaborators,
        reservations: Reservations,
        admission: Admission,
        leader: Leader,
        reporter: OutcomeReporter,
    ) -> None:
        cache = collaborators.settings.cache
        self.span_s = cache.ttl_s * cache.refresh_ahead
        self.after_s = cache.ttl_s - self.span_s
        self._clock = collaborators.clock
        self._observer = collaborators.observer
        self._reservations = reservations
        self._admission = admission
        self._leader = leader
        self._reporter = reporter
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._tried: dict[bytes, float] = {}

    def consider(self, call: Call, age_s: float) -> None:
        """Begins to renew the answer that this call hit, where it is old enough and nobody here does. Never waits."""
        key = call.key
        if key is None or age_s <= self.after_s or key in self._tasks or len(self._tasks) >= AT_ONCE:
            return
        now = self._clock.monotonic()
        if key in self._tried and now < self._tried[key] + self.span_s * RETRY_SHARE:
            return
        if len(self._tried) >= REMEMBERED:
            self._tried.clear()
        self._tried[key] = now
        # A context of its own: it is no part of the request that it was noticed by, its span no child of that one's.
        task = asyncio.get_running_loop().create_task(
            self._renew(call), name="turnout.refresh", context=contextvars.Context()
        )
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def drain(self) -> None:
        """Waits until every renewal of this loop has ended."""
        loop = asyncio.get_running_loop()
        if mine := [task for task in self._tasks.values() if task.get_loop() is loop]:
            await asyncio.wait(mine)

    async def _renew(self, call: Call) -> None:
        state = CallState(call=self._renewal(call))
        try:
            ask = self._admission.ask(state.call)
            verdict = await self._admission.enter(state.call, state.call.reservation.claim(ask))
        except ServedError:
            # No price is known for it, or the store refuses: the answer expires as any other.
            return
        if isinstance(verdict, Lead):
            await self._lead(state)

    def _renewal(self, call: Call) -> Call:
        """The call once more, for everybody who will hit its answer: whole, and paid for by nobody's own budget."""
        caller = call.context.caller
        context = replace(
            call.context,
            request_id=new_request_id(),
            started=self._clock.monotonic(),
            caller=Caller(user=REFRESH_USER, endpoint=caller.endpoint, admitted=True),
            directives=Directives(max_age_s=self.after_s),
            waits=patiently,
        )
        request = replace(call.request, stream=False, include_usage=False)
        return replace(
            call,
            request=request,
            context=context,
            owner=caller,
            token=None,
            conversation=None,
            reservation=self._reservations.open(request, call.selection, context.caller),
        )

    async def _lead(self, state: CallState) -> None:
        token: Any = self._observer.request_started(state.call.context.request_id)
        state.call = replace(state.call, token=token)
        state.listener = listener = self._leader.lead(state.call, joinable=True)
        try:
            ready = flight_answer(state, await listener.answer())
            self._reporter.answered(state, ready, 0.0, streamed=False)
        except ServedError as error:
            self._reporter.failed(state, error)
        except BaseException as error:
            raise self._reporter.failed(state, error) from error.__cause__
        finally:
            listener.leave()
