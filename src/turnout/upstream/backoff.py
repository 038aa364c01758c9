"""How long to wait before the next try. Pure: chance and time are arguments."""

from __future__ import annotations

from turnout.settings import Retry


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
