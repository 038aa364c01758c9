"""`GET /turnout/jobs/{id}/events`: what happens to a job, as server-sent events that can be resumed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence

from turnout.api.exchange import EventStream
from turnout.api.job_bodies import event_text
from turnout.api.response_headers import Headers
from turnout.jobs.feed import JobFeed
from turnout.ports.jobs import ENDED, Job, JobEvent, JobStore, JobsUnavailable
from turnout.ports.runtime import Clock

# So that nobody on the way takes a job that waits for a dead connection.
KEEP_ALIVE_S = 15.0
# Between two looks at a store that is away.
AWAY_S = 1.0
KEEP_ALIVE = b": keep-alive\n\n"


class JobEvents(EventStream):
    """The events after this number, to the end of the job."""

    def __init__(self, store: JobStore, feed: JobFeed, clock: Clock, job: Job, after: int, headers: Headers) -> None:
        super().__init__(headers)
        self._events = _follow(store, feed, clock, job.id, after)

    async def __anext__(self) -> bytes:
        if self.over:
            raise StopAsyncIteration
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            self.over = True
            return b""

    async def aclose(self) -> None:
        await self._events.aclose()


async def _follow(store: JobStore, feed: JobFeed, clock: Clock, job_id: str, after: int) -> AsyncGenerator[bytes, None]:
    said = clock.monotonic()
    while True:
        try:
            events, job = await _look(store, job_id, after)
            away = False
        except JobsUnavailable:
            # It comes back; a stream that ended here would look like the job's end.
            events, job, away = (), None, True
        if events:
            after, said = events[-1].number, clock.monotonic()
            yield b"".join(event_text(event, job if _is_last(event) else None) for event in events)
            if _is_last(events[-1]):
                return
        elif not away and (job is None or job.status in ENDED):
            # Expired, or resumed after its end.
            return
        elif clock.monotonic() - said >= KEEP_ALIVE_S:
            said = clock.monotonic()
            yield KEEP_ALIVE
        elif away:
            await clock.sleep(AWAY_S)
        else:
            await feed.changed(job_id, KEEP_ALIVE_S)


async def _look(store: JobStore, job_id: str, after: int) -> tuple[Sequence[JobEvent], Job | None]:
    # In this order: what is read of the job is no older than its last event.
    events = await store.events(job_id, after)
    job = await store.find(job_id)
    if not events and job is not None and job.status in ENDED:
        # It may have ended between the two looks.
        events = await store.events(job_id, after)
    return events, job


def _is_last(event: JobEvent) -> bool:
    return event.kind == "status" and json.loads(event.data)["status"] in ENDED
