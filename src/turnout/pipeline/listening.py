"""One caller's listening to a flight: as long as it waits, and no longer than its deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from turnout.errors import DeadlineExceeded
from turnout.pipeline.call import AnswerListener, Call
from turnout.pipeline.fallbacks import OUTAGES, Fallbacks
from turnout.pipeline.whole import ReadyAnswer, flown_in
from turnout.ports.runtime import Clock
from turnout.settings import Settings

# How much longer a caller that set no deadline of its own listens than the flight may take.
LISTEN_GRACE_S = 0.5

T = TypeVar("T")


class Listening:
    """Listens for whole answers."""

    def __init__(self, *, settings: Settings, clock: Clock, fallbacks: Fallbacks) -> None:
        self._settings = settings
        self._clock = clock
        self._fallbacks = fallbacks

    async def waited(
        self, call: Call, listener: AnswerListener, listening: Callable[[Call, AnswerListener], Awaitable[T]]
    ) -> T:
        """What the listening gives, for as long as this caller waits for it. Raises CallerGone."""
        try:
            return cast(T, await call.context.waits(listening(call, listener)))
        except BaseException:
            # A caller that went before the listening began: leaving twice changes nothing.
            listener.leave()
            raise

    async def landed(self, call: Call, listener: AnswerListener) -> tuple[ReadyAnswer, float]:
        """The whole answer, or what serves instead of it, and how long it was listened for in seconds."""
        since = self._clock.monotonic()
        try:
            async with self.deadline(call):
                answer = await listener.answer()
        except OUTAGES as error:
            return await self._fallbacks.instead_of(call, error), self._clock.monotonic() - since
        finally:
            listener.leave()
        return flown_in(call, answer), self._clock.monotonic() - since

    @asynccontextmanager
    async def deadline(self, call: Call) -> AsyncIterator[None]:
        """Ends this caller's listening at its deadline. Raises DeadlineExceeded."""
        lower, allowed = call.context.directives.deadline_s, self._settings.retry.deadline_s
        seconds = allowed if lower is None else min(lower, allowed)
        # The flight ends itself at its deadline, and blames whom it waited for: to leave it just before would
        # look like a client that hung up.
        grace = LISTEN_GRACE_S if seconds == allowed else 0.0
        try:
            async with self._clock.timeout_at(call.context.started + seconds + grace):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"no answer within the deadline of {seconds:g} s") from error
