"""Redis' own breaker: three time-outs in a row, or one refusal."""

from __future__ import annotations

from turnout.stores.outage import Health


def test_a_refusal_opens_at_once() -> None:
    """And only the first failure is news."""
    health = Health()
    assert health.failed(hung=False)
    assert health.open
    assert not health.failed(hung=False)


def test_three_time_outs_in_a_row_open() -> None:
    """An answer between them begins the count anew, and so does closing."""
    health = Health()
    assert not health.failed(hung=True)
    assert not health.failed(hung=True)
    health.answered()
    assert not health.failed(hung=True)
    assert not health.failed(hung=True)
    assert health.failed(hung=True)
    health.closed()
    assert not health.open
    assert not health.failed(hung=True)
