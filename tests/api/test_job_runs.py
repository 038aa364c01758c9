"""One job's run: when it runs again where it could not end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from turnout.api.job_runs import JobRuns
from turnout.errors import RateLimitExceeded, UpstreamUnavailable
from turnout.jobs.retries import Later
from turnout.ports.jobs import Job
from turnout.testing import ManualClock


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

    def job(deadline_s: float | None) -> Job:
        at = None if deadline_s is None else clock.time() + deadline_s
        body = {"messages": [{"role": "user", "content": "hi"}]}
        spec = {"body": body, "request_id": "r", "user": "u", "may_choose": False, "deadline_at": at}
        fields = {"id": "j", "kind": "chat", "user": "u", "endpoint": "/", "priority": 5, "secret": "", "digest": ""}
        return Job(**fields, spec=json.dumps(spec).encode(), webhook_url="", status="running", created=0.0)  # type: ignore[arg-type]

    async def main() -> list[Any]:
        runs = JobRuns(refused, refused, clock, hold, ())
        return [await runs.run(job(deadline_s), refused) for deadline_s in (None, 1.5)]

    free, bound = asyncio.run(main())
    assert isinstance(free, Later)
    assert free.after_s == 25
    assert isinstance(bound, Later)
    assert bound.after_s == pytest.approx(1.5)
