"""Keeps what checks taught one process in step with all workers: each sends its own, and gets everybody's."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from turnout.caching.semantic.error_bound import ErrorBound
from turnout.ports.semantic import RESULTS_AT_ONCE, CheckBatch, CheckResult, CheckStore, PairResult, Purged

# Between two times that a process asks for the others' checks: so far behind may its level be.
SETTLE_S = 1.0
# What is not sent yet, while the store is away: of more the oldest go.
MOST_UNSENT = 1000


class SharedErrorBound:
    """One process' part. name: of what is checked; the checks of another embedder, verifier or policy are no help.
    now: seconds, of any clock. learn: called with each result of any worker, its own ones again, in one order for
    all."""

    def __init__(
        self,
        error_bound: ErrorBound,
        store: CheckStore,
        name: str,
        *,
        now: Callable[[], float],
        learn: Callable[[CheckResult | Purged], None],
    ) -> None:
        self._error_bound = error_bound
        self._store = store
        self._name = name
        self._now = now
        self._learn = learn
        self._worker = secrets.token_hex(8)
        self._number = 0
        self._batch: CheckBatch | None = None
        self._unsent: deque[tuple[float, CheckResult]] = deque(maxlen=MOST_UNSENT)
        self._since = ""
        self._settled_at = now()
        self._settling = False
        self._due = 0.0

    def note(self, result: CheckResult) -> None:
        """The next `settle` tells the others."""
        self._unsent.append((self._now(), result))

    def is_due(self) -> bool:
        """Whether the others' checks are to be asked for; then not again for SETTLE_S."""
        now = self._now()
        if now < self._due:
            return False
        self._due = now + SETTLE_S
        return True

    async def settle(self) -> None:
        """Sends what this process has checked since the last time, and takes over the sums of all and what they have
        learnt. What cannot be sent is sent with the next."""
        if self._settling:
            return
        self._settling = True
        try:
            while await self._exchange():
                pass
        finally:
            self._settling = False

    async def _exchange(self) -> bool:
        """Returns whether there is more, either way."""
        batch = self._batch = self._batch or self._new_batch()
        news = await self._store.exchange(self._name, batch, self._now() - batch.begun, self._since)
        # Forgotten meanwhile: what a purge took away does not come back by an answer that was under way.
        if news is None or self._batch is not batch:
            return False
        self._batch, self._since = None, news.last
        self._error_bound.replace(news.sums)
        for result in news.results:
            self._learn(result)
        return news.more or bool(self._unsent)

    def forget(self, user: str | None, *, counts: bool) -> None:
        """What was learnt of this user (a `user_key`), or where None of all, is not sent any more. counts: nor is what
        was checked, which names nobody."""
        kept = [(at, each) for at, each in self._unsent if not _is_of(each, user)]
        self._unsent = deque(kept, maxlen=MOST_UNSENT)
        if counts:
            self._batch = None
        elif self._batch is not None and any(_is_of(each, user) for each in self._batch.results):
            results = [each for each in self._batch.results if not _is_of(each, user)]
            self._batch = replace(self._batch, results=results)

    def _new_batch(self) -> CheckBatch:
        now = self._now()
        results = [self._unsent.popleft() for _ in range(min(RESULTS_AT_ONCE, len(self._unsent)))]
        counts = self._error_bound.take()
        if results or any(counts):
            self._number += 1
        # What was counted since the last batch was begun, and perhaps results that did not fit it.
        begun, self._settled_at = min([self._settled_at, *(at for at, _ in results)]), now
        return CheckBatch(
            worker=self._worker,
            number=self._number if results or any(counts) else 0,
            begun=begun,
            counts=counts,
            results=[result for _, result in results],
        )


def _is_of(result: CheckResult, user: str | None) -> bool:
    return user is None or (isinstance(result, PairResult) and user in result.users)
