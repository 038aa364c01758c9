"""When the next call may be made: evenly spaced turns, and the patience with a model that takes no calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from turnout.ports.runtime import Clock
from turnout.settings import Rate

# Ten minutes: nearly every provider's incident that is over by itself is over by then, or takes an hour.
PATIENCE_S = 600.0
# After a call that failed, where the model's circuit asks for no longer wait.
RETRY_AFTER_S = 1.0
# A shorter wait is not worth a line.
LONG_S = 5.0


class RunEnded(Exception):
    """The work cannot go on; the message says why. how: in one word."""

    def __init__(self, how: str, why: str) -> None:
        super().__init__(why)
        self.how = how


class Throttle:
    """Evenly spaced turns: no more than the rate in any of its windows, and no burst at the beginning."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._spacing = rate.window_s / rate.limit
        self._clock = clock
        self._next = clock.monotonic()

    async def turn(self) -> None:
        now = self._clock.monotonic()
        at = max(now, self._next)
        self._next = at + self._spacing
        if at > now:
            await self._clock.sleep(at - now)


class Patience:
    """Waits for models that take no calls, each for at most `limit_s` from its first failure on until it answers.

    announce: called with a sentence when a wait becomes long, and when it is over. answers: how often each model has
    answered.
    """

    def __init__(
        self, clock: Clock, limit_s: float = PATIENCE_S, announce: Callable[[str], None] = lambda text: None
    ) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._announce = announce
        # Since when each model that is out has been, and why.
        self._out: dict[str, tuple[float, str]] = {}
        self._announced: set[str] = set()
        self.answers: Counter[str] = Counter()

    def answered(self, model: str) -> None:
        self.answers[model] += 1
        out = self._out.pop(model, None)
        if out is not None and model in self._announced:
            self._announced.discard(model)
            self._announce(f"{model} answers again, after {spoken(self._clock.monotonic() - out[0])}")

    def failed(self, model: str, cause: str) -> None:
        """It should have answered and did not, because of this."""
        since, _ = self._out.get(model, (self._clock.monotonic(), ""))
        self._out[model] = (since, cause)

    async def wait(self, model: str, seconds: float) -> None:
        """Returns after so many seconds. Raises RunEnded where they go beyond what it may take."""
        now = self._clock.monotonic()
        since, cause = self._out.setdefault(model, (now, f"{model} asks to be left alone"))
        if now + seconds > since + self._limit_s:
            message = f"{cause}; out for {spoken(now - since)} now, and not to be asked again for {spoken(seconds)}"
            raise RunEnded("outage", f"{message}: longer than --patience, {spoken(self._limit_s)}")
        if now + seconds - since >= LONG_S and model not in self._announced:
            self._announced.add(model)
            self._announce(f"{cause}; waiting for it, at most {spoken(self._limit_s)}")
        await self._clock.sleep(seconds)


def spoken(seconds: float) -> str:
    """As people say it."""
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} minutes"
