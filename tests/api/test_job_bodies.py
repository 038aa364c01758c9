"""What a job looks like to its user."""

from __future__ import annotations

import pytest

from turnout.api.job_bodies import look_again_s
from turnout.ports.jobs import QueueState


@pytest.mark.parametrize(
    ("position", "run_s", "concurrency", "seconds"),
    [(0, 2.0, 1, 1), (1, 2.0, 8, 1), (40, 2.0, 8, 2), (40, 2.0, 1, 20), (9_000, 2.0, 8, 30)],
)
def test_who_waits_long_looks_seldom(position: int, run_s: float, concurrency: int, seconds: int) -> None:
    """A quarter of the expected wait, within bounds: a full queue is not felled by its submitters' looks."""
    assert look_again_s(QueueState(position=position, run_s=run_s), concurrency) == seconds
