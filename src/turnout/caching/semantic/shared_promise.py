"""Keeps one process' promise in step with that of all workers: each sends its own checks, and gets everybody's sums."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from turnout.caching.semantic.promise import Promise
from turnout.ports.semantic import CheckStore

# Between two times that a process asks for the others' checks: so far behind may its level be.
SETTLE_S = 1.0


class SharedPromise:
    """One process' part. name: of what is checked; the checks of another embedder, verifier or policy are no help."""

    def __init__(self, promise: Promise, store: CheckStore, name: str) -> None:
        self._promise = promise
        self._store = store
        self._name = name
        self._batch: tuple[str, Sequence[int]] | None = None
        self._settling = False
        self._due = 0.0

    def is_due(self, now: float) -> bool:
        """Whether the others' checks are to be asked for; then not again for SETTLE_S. now: seconds, of any clock."""
        if now < self._due:
            return False
        self._due = now + SETTLE_S
        return True

    async def settle(self) -> None:
        """Sends what this process has checked since the last time, and takes over the sums of all. What cannot be sent
        is sent with the next."""
        if self._settling:
            return
        self._settling = True
        try:
            if self._batch is None:
                self._batch = (secrets.token_hex(8), self._promise.take())
            batch = self._batch
            sums = await self._store.add(self._name, *batch)
            # Forgotten meanwhile: what a purge took away does not come back by an answer that was under way.
            if sums is not None and self._batch is batch:
                self._batch = None
                self._promise.replace(sums)
        finally:
            self._settling = False

    def forget(self) -> None:
        """What is not sent yet is not sent any more."""
        self._batch = None
