"""How many retries the whole process may make: a share of the calls of the last seconds. Pure.

An outage makes every call fail at once; if each were tried three times, the provider would be met by three
times its load just when it can bear it least. Calls and retries are counted by whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

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
