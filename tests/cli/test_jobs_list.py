"""`turnout jobs list`: a job a line."""

from __future__ import annotations

from turnout.cli.jobs import list_line
from turnout.ports.jobs import Job


def test_a_job_fits_the_terminal() -> None:
    """Its id, status, time and priority are whole; in a pipe all of it is."""
    job = Job(
        id=f"job_{'x' * 32}",
        kind="chat",
        user="",
        endpoint="/v1/chat/completions",
        priority=4,
        spec=b"",
        secret="",
        digest="",
        webhook_url="",
        status="cancelled",
        created=0.0,
        since=0.0,
        error=b'{"message": "a reason that is told at length"}',
    )
    fits = list_line(job, 80)
    assert len(fits) == 80
    assert fits.startswith(f"{job.id} cancelled 1970-01-01 00:00Z p4 /v1/")
    assert list_line(job, None).endswith("/v1/chat/completions a reason that is told at length")
