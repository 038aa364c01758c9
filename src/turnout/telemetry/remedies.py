"""What to do about each error that callers are served, and how often the log says it."""

from __future__ import annotations

import threading

from turnout.ports.runtime import Clock

# Between two lines of the log about the same code, in seconds.
SAY_EVERY_S = 60.0
REMEDIES = {
    "upstream_unavailable": "`turnout check --call` asks each model; [fallback] answer is given where all fail",
    "rate_limit_exceeded": "[limits] and [endpoints] say how many; Retry-After says when to come back",
    "budget_exceeded": '`turnout spend` shows what is left; on_exhausted = "cheap" goes on at the cheap tier',
    "budget_unavailable": 'see why Redis is away; [budgets] on_outage = "local" goes on without it',
    "overloaded": "raise the model's max_concurrency or max_waiting, or add a model to the tier",
    "deadline_exceeded": "raise [retry] deadline_s, or put a faster model into the tier",
    "model_not_found": "ask for auto, cheap, expensive or a configured name, or add an alias to [routing]",
    "context_length_exceeded": "send less, or add a model with a larger window to the tier",
}
# Whose time is remembered.
MOST_CODES = 1000


class OnceAMinute:
    """Says whether something is due to be logged again. For any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By code, when it was last said.
        self._said: dict[str, float] = {}

    def is_due(self, code: str) -> bool:
        """Whether it was not within the last SAY_EVERY_S; it is from now on."""
        now = self._clock.monotonic()
        with self._lock:
            last = self._said.get(code)
            if last is not None and now - last < SAY_EVERY_S:
                return False
            if len(self._said) >= MOST_CODES:
                # A provider's own codes are told too, and it may have any number of them.
                self._said.clear()
            self._said[code] = now
            return True
