"""Many submissions at once: each takes its own turns of the event loop, and others have theirs between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.apps import settings
from turnout.api.jobs import JobSubmissions
from turnout.context import RequestContext
from turnout.jobs.feed import JobFeed
from turnout.openai.requests import ChatRequest, from_call
from turnout.ports.jobs import AcceptedJob, NewJob, QueueBounds, QueueState, newly_queued
from turnout.settings import Settings
from turnout.stores.sqlite.jobs import SqliteJobs
from turnout.testing import ManualClock

AT_ONCE = 6


class RepliesAtOnce(SqliteJobs):
    """A store that replies to all submissions in the same turn of the loop, as one read from Redis does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "never-opened.sqlite"), ManualClock())
        self._submitted = 0
        self._all = asyncio.Event()

    async def submit(self, job: NewJob, bounds: QueueBounds) -> AcceptedJob:
        self._submitted += 1
        if self._submitted == AT_ONCE:
            self._all.set()
        await self._all.wait()
        return AcceptedJob(job=newly_queued(job, 1.0), created=True, state=QueueState(workers=1))


def submissions_to(store: RepliesAtOnce, config: Settings, check: Callable[[Any, Any], None]) -> JobSubmissions:
    return JobSubmissions(
        store=store, settings=config, clock=ManualClock(), check=check, feed=JobFeed(), worker=None, can_notify=False
    )


def test_two_submissions_are_prepared_and_two_answered_in_a_turn_of_the_loop(tmp_path: Path) -> None:
    """A request for another path waits for the steps of two of them, however many have come."""
    config = Settings.of(settings("http://127.0.0.1:1/v1", queue={}))
    turn = 0
    prepared: list[int] = []
    answered: list[int] = []

    async def run() -> None:
        def count() -> None:
            nonlocal turn
            turn += 1
            counting.append(asyncio.get_running_loop().call_soon(count))

        def check(chat: ChatRequest, context: RequestContext) -> None:
            prepared.append(turn)

        counting: list[asyncio.Handle] = []
        submissions = submissions_to(RepliesAtOnce(tmp_path), config, check)

        async def submit() -> None:
            context = RequestContext(request_id="r", started=0.0)
            await submissions.submit_verb(from_call("hi", stream=False, params={}), context, "")
            answered.append(turn)

        count()
        await asyncio.gather(*(submit() for _ in range(AT_ONCE)))
        counting[-1].cancel()

    asyncio.run(run())
    assert max(Counter(prepared).values()) <= 2
    assert max(Counter(answered).values()) <= 2
