"""What a caller is given when no model answered."""

from __future__ import annotations

from turnout.errors import DeadlineExceeded, Overloaded, ServedError, UpstreamUnavailable
from turnout.pipeline.call import Call
from turnout.pipeline.whole import ReadyAnswer, hit, plain_answer
from turnout.ports.admission import Gate
from turnout.ports.runtime import Clock
from turnout.settings import Settings

# Failures that a stale or a plain answer is better than.
OUTAGES = (UpstreamUnavailable, Overloaded, DeadlineExceeded)


class Fallbacks:
    """Looks for something better than an error."""

    def __init__(self, *, settings: Settings, clock: Clock, gate: Gate) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate

    async def instead_of(self, call: Call, error: ServedError) -> ReadyAnswer:
        """A stale answer, else the configured plain one, else the error itself."""
        stale = await self._stale(call)
        if stale is not None:
            return stale
        text = self._settings.fallback.answer
        if not text:
            raise error
        return plain_answer(text, call, self._clock.time())

    async def _stale(self, call: Call) -> ReadyAnswer | None:
        # RFC 9111: `no-cache` and `max-age` are a caller's word that an old answer will not do.
        directives = call.context.directives
        if call.key is None or directives.no_cache or directives.max_age_s is not None:
            return None
        stored = await self._gate.stale(call.key)
        return None if stored is None else hit(stored, "stale")
