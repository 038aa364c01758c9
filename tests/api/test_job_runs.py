"""One job's run: when it runs again where it could not end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from turnout.api.job_runs import JobRuns
from turnout.errors import InvalidRequest, RateLimitExceeded, UpstreamUnavailable
from turnout.jobs.retries import Later
from turnout.ports.jobs import Job
from turnout.testing import ManualClock


def job(deadline_at: float | None, *, since: float = 0.0) -> Job:
    """A job that was accepted at 0."""
    body = {"messages": [{"role": "user", "content": "hi"}]}
    spec = {"body": body, "request_id": "r", "user": "u", "may_choose": False, "deadline_at": deadline_at}
    fields: dict[str, Any] = dict.fromkeys(("secret", "digest", "webhook_url"), "")
    fields |= {"id": "j", "kind": "chat", "user": "u", "endpoint": "/", "priority": 5, "status": "running"}
    return Job(**fields, spec=json.dumps(spec).encode(), created=0.0, since=since)


def test_a_job_that_is_queued_again_has_its_time_anew() -> None:
    """Its deadline counts from the retry: it runs, however long ago it was accepted."""
    clock = ManualClock(1000.0)
    contexts: list[Any] = []

    async def refused(_: Any, context: Any) -> Any:
        contexts.append(context)
        raise InvalidRequest("no")

    async def main() -> list[Any]:
        runs = JobRuns(refused, refused, clock, refused, ())
        return [await runs.run(job(20.0, since=since), refused) for since in (0.0, 995.0)]  # type: ignore[arg-type]

    late, again = asyncio.run(main())
    assert json.loads(late.error)["code"] == "deadline_exceeded"
    assert json.loads(again.error)["message"] == "no"
    assert [context.directives.deadline_s for context in contexts] == [pytest.approx(15.0)]


@pytest.mark.parametrize(
    "error", [RateLimitExceeded("full", retry_after_s=25), UpstreamUnavailable("away", retry_after_s=25)]
)
def test_a_job_that_waits_looks_again_when_its_deadline_passes(error: Exception) -> None:
    """At the latest: it fails then, and is not left in the queue."""
    clock = ManualClock()

    async def refused(*_: Any) -> Any:
        raise error

    async def hold(*_: Any) -> bool:
        return True

    async def main() -> list[Any]:
        runs = JobRuns(refused, refused, clock, hold, ())
        ends = (None, clock.time() + 1.5)
        return [await runs.run(job(deadline_at), refused) for deadline_at in ends]

    free, bound = asyncio.run(main())
    assert isinstance(free, Later)
    assert free.after_s == 25
    assert isinstance(bound, Later)
    assert bound.after_s == pytest.approx(1.5)
