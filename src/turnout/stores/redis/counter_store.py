"""The CounterStore of all processes that share a Redis. Some round trips a second at most, none on a request's path."""

from __future__ import annotations

import json
import secrets
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from turnout.ports.counting import (
    ANSWERS_KEPT_S,
    MINUTE_S,
    MINUTES_KEPT_S,
    MOST_ANSWERS,
    MOST_DECISIONS,
    MOST_SERIES,
    MOST_SPENDERS,
    MOST_TOTALS,
    TEN_MINUTES_KEPT_S,
    TEN_MINUTES_S,
    TOTALS,
    Bucket,
    Increments,
    RememberedAnswer,
    decision_marks,
)
from turnout.ports.runtime import Clock
from turnout.stores.batches import batched
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable

# What one script takes or reads: a few milliseconds of Redis' time, that requests wait for too.
ANSWERS_A_CALL = 200
BUCKETS_A_CALL = 16
CHECKED_A_CALL = 500
# What is owed while Redis is away: about ten minutes of it.
MOST_OWED = 600
# A bucket that ended longer ago than this changes no more: it is kept here once it was read.
SETTLED_S = 180
BOUNDS = json.dumps(
    {
        "totals": MOST_TOTALS,
        "series": MOST_SERIES,
        "steps": [[MINUTE_S, MINUTES_KEPT_S], [TEN_MINUTES_S, TEN_MINUTES_KEPT_S]],
        "spenders": MOST_SPENDERS,
        "spenders_s": TEN_MINUTES_KEPT_S + TEN_MINUTES_S,
        "decisions": MOST_DECISIONS,
        "answers": MOST_ANSWERS,
        "answers_s": ANSWERS_KEPT_S,
    }
)


class RedisCounterStore:
    """Implements the CounterStore port."""

    def __init__(self, client: RedisClient, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # Batches whose reply never came: sent again under their own name, so that none counts twice.
        self._owed: deque[tuple[str, str]] = deque()
        self._settled: dict[str, Mapping[str, int]] = {}

    async def add(self, increments: Increments) -> bool:
        if len(self._owed) > MOST_OWED:
            return False
        self._owed.extend((secrets.token_hex(8), batch) for batch in _batches(increments, self._clock.time()))
        try:
            while self._owed:
                batch = self._owed[0]
                await self._client.run("count", *batch, BOUNDS)
                # Another task may have sent it meanwhile: it counts once.
                if self._owed and self._owed[0] is batch:
                    self._owed.popleft()
        except StoreUnreachable:
            # Held here, and sent with the next.
            return True
        return True

    @property
    def reachable(self) -> bool:
        """Whether Redis has all that was counted."""
        return not self._owed

    async def read(self, start: int, end: int, step_s: int) -> Sequence[Bucket]:
        if step_s == TOTALS:
            return [Bucket(start=0, series=(await self._buckets("h", ["total"]))["total"])]
        starts = range(start + -start % step_s, end, step_s)
        buckets = await self._buckets("h", [f"{step_s}:{at}" for at in starts])
        return [Bucket(start=at, series=series) for at in starts if (series := buckets.get(f"{step_s}:{at}"))]

    async def rest(self, start: int, end: int) -> tuple[Mapping[str, int], Sequence[bytes]]:
        starts = range(start + -start % TEN_MINUTES_S, end, TEN_MINUTES_S)
        spent: Counter[str] = Counter()
        for spenders in (await self._buckets("u", [f"u:{at}" for at in starts])).values():
            spent.update(spenders)
        try:
            decisions: list[bytes] = await self._client.run("read_counts", "d")
        except StoreUnreachable:
            decisions = []
        return spent, decisions

    async def find_answer(self, request_id: str) -> RememberedAnswer | None:
        try:
            packed = await self._client.run("read_counts", "a", request_id)
        except StoreUnreachable:
            return None
        answer = RememberedAnswer.unpack(packed) if packed else None
        return answer if answer is not None and self._clock.time() - answer.at < ANSWERS_KEPT_S else None

    async def forget(self, user_key: str, spender: str) -> None:
        last = int(self._clock.time()) // TEN_MINUTES_S * TEN_MINUTES_S
        starts = range(last - TEN_MINUTES_KEPT_S, last + 1, TEN_MINUTES_S)
        self._settled = {name: series for name, series in self._settled.items() if not name.startswith("u:")}
        try:
            marks = decision_marks(user_key, spender)
            checked = await self._client.run("forget_counts", 0, CHECKED_A_CALL, user_key, spender, *marks, *starts)
            while checked:
                checked = await self._client.run("forget_counts", checked, CHECKED_A_CALL, user_key, spender, *marks)
        except StoreUnreachable:
            return

    async def _buckets(self, kind: str, names: Sequence[str]) -> dict[str, Mapping[str, int]]:
        """The buckets of these names; empty ones where Redis cannot be asked."""
        found = {name: self._settled[name] for name in names if name in self._settled}
        try:
            for some in batched([name for name in names if name not in found], BUCKETS_A_CALL):
                rows = await self._client.run("read_counts", kind, *some)
                found |= {name: _pairs(row) for name, row in zip(some, rows, strict=True)}
        except StoreUnreachable:
            return found | {name: {} for name in names if name not in found}
        self._keep(found)
        return found

    def _keep(self, found: Mapping[str, Mapping[str, int]]) -> None:
        now = int(self._clock.time())
        for name, series in found.items():
            kind, _, start = name.partition(":")
            length = MINUTE_S if kind == str(MINUTE_S) else TEN_MINUTES_S
            if start and int(start) + length + SETTLED_S < now:
                self._settled[name] = series
        oldest = now - TEN_MINUTES_KEPT_S - TEN_MINUTES_S
        for name in [name for name in self._settled if int(name.partition(":")[2]) < oldest]:
            del self._settled[name]


def _batches(increments: Increments, now: float) -> Iterator[str]:
    """The increments as count.lua reads them, in pieces that Redis takes at once."""
    empty: dict[str, Any] = {"series": {}, "spenders": {}, "decisions": [], "answers": [], "now": str(int(now))}
    if increments.series or increments.spenders or increments.decisions:
        yield _json(
            empty
            | {
                "series": {str(minute): _texts(series) for minute, series in increments.series.items()},
                "spenders": {str(start): _texts(spenders) for start, spenders in increments.spenders.items()},
                "decisions": [decision.decode("utf-8", "replace") for decision in increments.decisions],
            }
        )
    for some in batched(increments.answers.items(), ANSWERS_A_CALL):
        yield _json(empty | {"answers": [[name, packed.decode("utf-8", "replace")] for name, packed in some]})


def _texts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _json(batch: Mapping[str, Any]) -> str:
    return json.dumps(batch, separators=(",", ":"))


def _pairs(row: Iterable[bytes]) -> dict[str, int]:
    values = iter(row)
    return {name.decode("utf-8", "replace"): int(float(amount)) for name, amount in zip(values, values, strict=True)}
