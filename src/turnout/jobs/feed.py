"""Wakes those of this process who wait for a job: at once where it changed here, else by asking the store anew."""

from __future__ import annotations

import asyncio
from collections import defaultdict

# How often the store is asked for what other processes did.
POLL_S = 0.2


class JobFeed:
    """Waiting readers by job, all on one event loop."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def notify(self, job_id: str) -> None:
        """Something happened to this job."""
        for future in self._waiting.pop(job_id, ()):
            if not future.done():
                future.set_result(None)

    async def changed(self, job_id: str, within_s: float) -> None:
        """Returns when something happened to the job, or it is time to ask the store."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[job_id].add(future)
        try:
            await asyncio.wait({future}, timeout=min(within_s, POLL_S))
        finally:
            future.cancel()
            readers = self._waiting.get(job_id)
            if readers is not None:
                readers.discard(future)
                if not readers:
                    del self._waiting[job_id]
