"""The CounterStore of one process. Bounded: see ports/counting.py."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence

from turnout.ports.counting import (
    ANSWERS_KEPT_S,
    FOLDED,
    MINUTE_S,
    MINUTES_KEPT_S,
    MOST_ANSWERS,
    MOST_DECISIONS,
    MOST_SERIES,
    MOST_SPENDERS,
    MOST_TOTALS,
    SEPARATOR,
    TEN_MINUTES_KEPT_S,
    TEN_MINUTES_S,
    TOTALS,
    Bucket,
    Increments,
    RememberedAnswer,
    decision_marks,
)
from turnout.ports.runtime import Clock

KEPT_S = {MINUTE_S: MINUTES_KEPT_S, TEN_MINUTES_S: TEN_MINUTES_KEPT_S}


class MemoryCounterStore:
    """Implements the CounterStore port."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._totals: dict[str, int] = {"since": int(clock.time())}
        self._buckets: dict[int, dict[int, dict[str, int]]] = {MINUTE_S: {}, TEN_MINUTES_S: {}}
        self._spenders: dict[int, dict[str, int]] = {}
        self._decisions: deque[bytes] = deque(maxlen=MOST_DECISIONS)
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    @property
    def reachable(self) -> bool:
        return True

    async def add(self, increments: Increments) -> bool:
        for minute, series in increments.series.items():
            _add(self._totals, series, MOST_TOTALS)
            for step_s, buckets in self._buckets.items():
                _add(buckets.setdefault(minute - minute % step_s, {}), series, MOST_SERIES)
        for start, spenders in increments.spenders.items():
            kept = Counter(self._spenders.get(start, {}))
            kept.update(spenders)
            self._spenders[start] = dict(kept.most_common(MOST_SPENDERS))
        self._decisions.extend(increments.decisions)
        self._answers.update(increments.answers)
        while len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
        self._drop_old(int(self._clock.time()))
        return True

    def _drop_old(self, now: int) -> None:
        for step_s, buckets in self._buckets.items():
            _drop_before(buckets, now - KEPT_S[step_s])
        _drop_before(self._spenders, now - TEN_MINUTES_KEPT_S)

    async def read(self, start: int, end: int, step_s: int) -> Sequence[Bucket]:
        if step_s == TOTALS:
            return [Bucket(start=0, series=self._totals)]
        kept = sorted(self._buckets[step_s].items())
        return [Bucket(start=at, series=series) for at, series in kept if start <= at < end]

    async def rest(self, start: int, end: int) -> tuple[Mapping[str, int], Sequence[bytes]]:
        spent: Counter[str] = Counter()
        for at, spenders in self._spenders.items():
            if start <= at < end:
                spent.update(spenders)
        return spent, list(reversed(self._decisions))

    async def find_answer(self, request_id: str) -> RememberedAnswer | None:
        packed = self._answers.get(request_id)
        answer = RememberedAnswer.unpack(packed) if packed is not None else None
        return answer if answer is not None and self._clock.time() - answer.at < ANSWERS_KEPT_S else None

    async def forget(self, user_key: str, spender: str) -> None:
        for spenders in self._spenders.values():
            spenders.pop(spender, None)
            spenders.pop(user_key, None)
        marks = decision_marks(user_key, spender)
        kept = [decision for decision in self._decisions if not any(mark in decision for mark in marks)]
        self._decisions = deque(kept, maxlen=MOST_DECISIONS)
        for request_id, packed in list(self._answers.items()):
            answer = RememberedAnswer.unpack(packed)
            if answer is not None and answer.user == user_key:
                del self._answers[request_id]


def _add(bucket: dict[str, int], series: Mapping[str, int], most: int) -> None:
    for name, amount in series.items():
        if name not in bucket and len(bucket) >= most:
            name = name.partition(SEPARATOR)[0] + SEPARATOR + FOLDED
        bucket[name] = bucket.get(name, 0) + amount


def _drop_before(buckets: dict[int, dict[str, int]], start: int) -> None:
    # In order of time, but for what came late after an outage: the rest is dropped when its turn comes.
    for at in list(buckets):
        if at >= start:
            break
        del buckets[at]
