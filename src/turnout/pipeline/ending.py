"""The end of a request: its outcome, told once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from turnout.errors import CallerGone, ServedError
from turnout.pipeline.call import Call
from turnout.pipeline.outcomes import refused_outcome, times, whole_outcome
from turnout.pipeline.whole import ReadyAnswer
from turnout.ports.runtime import Clock, Observer
from turnout.records import Outcome


class Ending:
    """Ends requests."""

    def __init__(self, *, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer

    def given(self, call: Call, whole: ReadyAnswer, listened_s: float, *, streamed: bool) -> Outcome:
        """Ends the request in a whole answer."""
        spent = times(call, self._clock.monotonic(), listened_s)
        return self._end(call, whole_outcome(call, whole, spent, streamed=streamed))

    def failed(self, call: Call, error: BaseException) -> BaseException:
        """Ends the request in an error, and gives the error to raise."""
        code = error.told_code if isinstance(error, ServedError) else "cancelled"
        if not isinstance(error, ServedError | CallerGone | asyncio.CancelledError | GeneratorExit):
            code = "internal_error"
        spent = times(call, self._clock.monotonic(), 0.0)
        self.with_flight(call, lambda: refused_outcome(call, spent, code))
        headers = call.reservation.headers
        return error.headed(headers) if isinstance(error, ServedError) and headers else error

    def with_flight(self, call: Call, outcome: Callable[[], Outcome]) -> None:
        """Whoever leaves a call that it pays for is told of when that call is over: what it cost is known then."""
        if call.flight is not None and not call.flight.over:
            call.flight.when_ended(lambda: self._end(call, outcome()))
        else:
            self._end(call, outcome())

    def _end(self, call: Call, outcome: Outcome) -> Outcome:
        if call.outcome is None:
            call.outcome = outcome
            self._observer.request_ended(call.token, outcome)
        return outcome
