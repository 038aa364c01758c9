"""What the status page, the metrics and the alerts count, and where it is kept."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from turnout.context import LONGEST_ENDPOINT

# Between the parts of a series' name: its metric, then its labels' values.
SEPARATOR = "\x1f"
# In a series' name in place of its labels, once a bucket holds as many series as it may.
FOLDED = "*"
# Two resolutions, in seconds, and how far back each is kept: an hour by the minute, two days by ten minutes.
MINUTE_S, MINUTES_KEPT_S = 60, 2 * 3600
TEN_MINUTES_S, TEN_MINUTES_KEPT_S = 600, 48 * 3600
# In place of a resolution: all since the first count.
TOTALS = 0
# What bounds the memory of it all: the series of a bucket and of the totals, the spenders of a bucket, the decisions
# and the answers that are remembered.
MOST_SERIES = 200
MOST_TOTALS = 2000
MOST_SPENDERS = 50
MOST_DECISIONS = 200
MOST_ANSWERS = 10_000
ANSWERS_KEPT_S = 86_400


@dataclass(slots=True, kw_only=True)
class Increments:
    """What was counted since it was last taken. series: by minute (seconds since 1970), by series. spenders: nano-USD,
    by ten minutes and user. decisions: JSON each, the newest last. answers: packed RememberedAnswers by request id."""

    series: dict[int, dict[str, int]] = field(default_factory=dict)
    spenders: dict[int, dict[str, int]] = field(default_factory=dict)
    decisions: deque[bytes] = field(default_factory=lambda: deque(maxlen=MOST_DECISIONS))
    answers: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.series or self.spenders or self.decisions or self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What was counted in the seconds from `start` (since 1970) on."""

    start: int
    series: Mapping[str, int]


def decision_marks(*users: str) -> tuple[bytes, ...]:
    """What stands in a decision's JSON where it is one of these users', as the decisions name them."""
    # A quote inside of a text is escaped there: what a caller sends cannot look like it.
    return tuple(b'"user":' + json.dumps(user, ensure_ascii=False).encode("utf-8", "replace") for user in users)


class RememberedAnswer(NamedTuple):
    """An answer that feedback may come for. at: seconds since 1970. user: a `user_key`."""

    at: int
    user: str
    endpoint: str = ""
    tier: str = ""
    cache: str = ""
    cache_key: bytes | None = None

    def pack(self) -> bytes:
        """The answer as some 120 bytes."""
        key = self.cache_key.hex() if self.cache_key is not None else ""
        fields = (str(self.at), self.user, self.tier, self.cache, key, self.endpoint[:LONGEST_ENDPOINT])
        return SEPARATOR.join(fields).encode("utf-8", "replace")

    @classmethod
    def unpack(cls, packed: bytes) -> RememberedAnswer | None:
        """The answer in these bytes; None where they hold none."""
        fields = packed.decode("utf-8", "replace").split(SEPARATOR, 5)
        try:
            at, user, tier, cache, key, endpoint = fields
            cache_key = bytes.fromhex(key) if key else None
            return cls(at=int(at), user=user, tier=tier, cache=cache, endpoint=endpoint, cache_key=cache_key)
        except ValueError:
            return None


class CounterStore(Protocol):
    """Keeps what is counted: in this process alone, or for all processes together. Never on a request's path, and never
    raises: what cannot be reached counts as empty, and `add` says so."""

    @property
    def reachable(self) -> bool:
        """Whether all that was added is where it belongs."""
        ...

    async def add(self, increments: Increments) -> bool:
        """Adds all of it, now or once the store is reached again. False where there is no room left for what waits:
        nothing was added."""
        ...

    async def read(self, start: int, end: int, step_s: int) -> Sequence[Bucket]:
        """The buckets of this resolution that begin in [start, end), in order; those of nothing may be absent. TOTALS
        for the resolution: one bucket of all since the first count, whose time (seconds since 1970) is its `since`."""
        ...

    async def rest(self, start: int, end: int) -> tuple[Mapping[str, int], Sequence[bytes]]:
        """The spenders of the ten minutes that begin in [start, end), and the last decisions, the newest first."""
        ...

    async def find_answer(self, request_id: str) -> RememberedAnswer | None:
        """The answer of this request id, where it is remembered."""
        ...

    async def forget(self, user_key: str, spender: str) -> None:
        """Forgets this user's answers and decisions, and the user among the spenders, by the name that stands there."""
        ...
