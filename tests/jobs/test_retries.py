"""When a job or a webhook is tried again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from turnout.api.job_runs import JobRuns
from turnout.errors import BudgetExceeded, NoRoomYet, RateLimitExceeded, ServedError
from turnout.jobs.retries import CAP_S, LONGEST_WAIT_S, MAX_ATTEMPTS, Later, after_failure, for_room, webhook_delay
from turnout.jobs.webhooks import message_id
from turnout.ports.jobs import Job
from turnout.testing import ManualClock


def test_a_failure_waits_longer_each_time_up_to_a_cap_and_then_ends() -> None:
    """Doubled, jittered downwards, never above the cap; the provider's own word counts up to it."""
    delays = [after_failure(attempts, None, 0.999) for attempts in range(MAX_ATTEMPTS)]
    assert delays[-1] is None
    waits = [later.after_s for later in delays[:-1] if later is not None]
    assert waits == sorted(waits)
    assert max(waits) <= CAP_S
    asked = after_failure(0, 7.0, 0.5)
    assert asked is not None
    assert (asked.after_s, asked.failed) == (7.0, True)


def test_a_full_limit_is_looked_at_again_before_long() -> None:
    """Whatever the window's end is; it is no attempt."""
    later = for_room(86_400.0, lane=True)
    assert (later.after_s, later.failed, later.lane) == (LONGEST_WAIT_S, False, True)
    assert for_room(None, lane=False).after_s > 0


def test_a_webhook_is_given_up_after_its_last_delay() -> None:
    """Each try later than the one before."""
    delays = [webhook_delay(tries, 0.5) for tries in range(1, 7)]
    assert delays[-1] is None
    waits = [delay for delay in delays if delay is not None]
    assert waits == sorted(waits)


def test_each_end_of_a_job_has_a_message_id_of_its_own() -> None:
    """The first is the job's; receivers drop what they know."""
    fields: dict[str, Any] = dict.fromkeys(("user", "endpoint", "secret", "digest", "webhook_url"), "")
    job = Job(id="job_a", kind="chat", priority=4, spec=b"{}", status="failed", created=0.0, since=0.0, **fields)
    assert [message_id(replace(job, ends=ends)) for ends in (0, 1, 2)] == ["msg_a", "msg_a", "msg_a_2"]


@pytest.mark.parametrize(
    ("error", "lane"), [(RateLimitExceeded("full"), True), (BudgetExceeded("full"), False), (NoRoomYet("full"), False)]
)
def test_a_rate_alone_holds_up_what_comes_behind_a_job(error: ServedError, lane: bool) -> None:
    """A smaller job may fit a budget, and another model may have room."""

    async def refuse(*_: Any) -> Any:
        raise error

    runs = JobRuns(refuse, refuse, ManualClock(), refuse)
    runs.replay = refuse
    fields: dict[str, Any] = dict.fromkeys(("user", "endpoint", "secret", "digest", "webhook_url"), "")
    job = Job(id="job_a", kind="http", priority=4, spec=b"{}", status="running", created=0.0, since=0.0, **fields)
    later = asyncio.run(runs.run(job, refuse))
    assert isinstance(later, Later)
    assert (later.lane, later.failed) == (lane, False)
