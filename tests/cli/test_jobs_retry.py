"""`turnout jobs retry --status`: page by page, however many there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from turnout.cli import main
from turnout.cli.jobs import PAGE
from turnout.clock import SystemClock
from turnout.ports.jobs import Job, NewJob, QueueBounds
from turnout.settings import Settings
from turnout.stores.factory import jobs_from
from turnout.stores.sqlite.jobs import SqliteJobs

MANY = 2 * PAGE + 7
BOUNDS = QueueBounds(max_length=MANY, max_per_user=MANY, ttl_s=100)


def cancelled_jobs(config: Path) -> list[str]:
    """The ids of so many cancelled jobs in the queue of these settings."""
    config.write_text('[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n[queue]\n')
    ids = [f"job_{number}" for number in range(MANY)]

    async def submit() -> None:
        jobs = jobs_from(Settings.from_toml(config), SystemClock())
        for job_id in ids:
            await jobs.submit(NewJob(id=job_id, kind="chat", user="a", endpoint="/", priority=4, spec=b"{}"), BOUNDS)
            await jobs.cancel(job_id, BOUNDS)
        await jobs.close()

    asyncio.run(submit())
    return ids


def test_jobs_that_end_again_meanwhile_are_retried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never more in memory than a page of them; the command ends, though each is back at once in the state that it
    asks for."""
    ids = cancelled_jobs(tmp_path / "turnout.toml")
    listed: list[int] = []
    list_jobs, retry = SqliteJobs.list_jobs, SqliteJobs.retry

    async def counted(self: SqliteJobs, **more: Any) -> Sequence[Job]:
        page = await list_jobs(self, **more)
        listed.append(len(page))
        return page

    async def ended_again(self: SqliteJobs, job_id: str) -> bool:
        done = await retry(self, job_id)
        await self.cancel(job_id, BOUNDS)
        return done

    monkeypatch.setattr(SqliteJobs, "list_jobs", counted)
    monkeypatch.setattr(SqliteJobs, "retry", ended_again)
    command = ["jobs", "retry", "--status", "cancelled", "--config", str(tmp_path / "turnout.toml")]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dict.fromkeys(reversed(ids), True)
    assert listed == [PAGE, PAGE, 7, 0]
    monkeypatch.setattr(SqliteJobs, "retry", retry)
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [f"{job_id} queued again" for job_id in reversed(ids)]
