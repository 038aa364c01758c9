"""Whether a model is tried again, and after what wait. Pure: chance and time are arguments.

All retries of the process together are at most a share of the calls of the last seconds. An outage makes every call
fail at once; if each were tried three times, the provider would be met by three times its load just when it can bear
it least. Calls and retries are counted by whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from turnout.settings import Retry

# Finagle's and Linkerd's window.
WINDOW_S = 10
# A quiet app has no calls to take a share of, and can still try again.
FLOOR = 3


@dataclass(frozen=True, slots=True)
class Recent:
    """(second, calls, retries) of the seconds in which there were any, ascending. Retries are calls too."""

    seconds: tuple[tuple[int, int, int], ...] = ()

    @property
    def calls(self) -> int:
        return sum(calls for _, calls, _ in self.seconds)

    @property
    def retries(self) -> int:
        return sum(retries for _, _, retries in self.seconds)


def since(recent: Recent, now: float) -> Recent:
    """Without what is older than the window."""
    oldest = int(now) - WINDOW_S
    if not recent.seconds or recent.seconds[0][0] > oldest:
        return recent
    return Recent(tuple(row for row in recent.seconds if row[0] > oldest))


def counted(recent: Recent, now: float, *, retry: bool) -> Recent:
    """One more call."""
    recent = since(recent, now)
    second, retries = int(now), int(retry)
    if recent.seconds and recent.seconds[-1][0] >= second:
        at, calls, before = recent.seconds[-1]
        return Recent((*recent.seconds[:-1], (at, calls + 1, before + retries)))
    return Recent((*recent.seconds, (second, 1, retries)))


def may_retry(recent: Recent, now: float, share: float) -> bool:
    """Whether one more retry keeps retries at most this share of the window's calls, or within the floor.
    A share of 0 allows none."""
    recent = since(recent, now)
    one_more = recent.retries + 1
    return share > 0 and (one_more <= FLOOR or one_more <= share * (recent.calls + 1))


def backoff(retry: Retry, tried: int, chance: float) -> float:
    """Seconds to wait after `tried` (>= 1) failures: exponential, full jitter, capped.

    chance: uniform in [0, 1). Full jitter: M. Brooker, "Exponential Backoff And Jitter", AWS, 2015.
    """
    # 2**63 s is past any cap; bounding the exponent keeps the product finite.
    ceiling = min(retry.cap_s, retry.base_s * 2.0 ** min(tried - 1, 63))
    return ceiling * chance


def pause(retry: Retry, tried: int, chance: float, retry_after_s: float | None, left_s: float) -> float | None:
    """Seconds to wait before this model is tried again; None where it is not worth waiting for.

    A provider's Retry-After is honoured in full or not at all: longer than the cap or than what is left of
    the deadline, and the next candidate is asked instead.
    """
    if tried >= retry.attempts:
        return None
    wait = backoff(retry, tried, chance)
    if retry_after_s is not None:
        if retry_after_s > retry.cap_s:
            return None
        wait = max(wait, retry_after_s)
    return wait if wait < left_s else None
