"""When a job or a webhook is tried again. Pure: chance is an argument."""

from __future__ import annotations

from dataclasses import dataclass

# Runs of one job, and how long to wait after one that failed: doubled from the first, up to the cap.
MAX_ATTEMPTS = 5
FIRST_S = 1.0
CAP_S = 60.0
# A job that waits for a limit or a budget looks again after at most so long: others may give room back.
LONGEST_WAIT_S = 30.0
# Before each further try of a webhook; Standard Webhooks' own schedule begins so.
WEBHOOK_DELAYS_S = (5.0, 30.0, 120.0, 600.0, 3600.0)
JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A run that did not end the job. failed: it counts as an attempt. lane: what else this user has waiting from
    there waits as long."""

    after_s: float
    failed: bool
    lane: bool


def for_room(retry_after_s: float | None, *, lane: bool) -> Later:
    """A limit, a budget or a model is full: the job waits in its place. lane: what comes behind it would be refused
    too."""
    return Later(after_s=min(max(retry_after_s or 1.0, 0.1), LONGEST_WAIT_S), failed=False, lane=lane)


def after_failure(attempts: int, retry_after_s: float | None, chance: float) -> Later | None:
    """A failure that may pass; None after the last attempt. attempts: before this one. chance: in [0, 1)."""
    if attempts + 1 >= MAX_ATTEMPTS:
        return None
    delay_s = min(FIRST_S * 2**attempts, CAP_S) * (0.5 + chance / 2)
    return Later(after_s=max(delay_s, min(retry_after_s or 0.0, CAP_S)), failed=True, lane=False)


def webhook_delay(tries: int, chance: float) -> float | None:
    """How long to wait after so many tries of a webhook; None after the last."""
    if tries > len(WEBHOOK_DELAYS_S):
        return None
    return WEBHOOK_DELAYS_S[tries - 1] * (1 - JITTER + 2 * JITTER * chance)
