"""An outage begins with three time-outs in a row, or one refused connection."""

from __future__ import annotations

from turnout.stores.outage import OutageDetector


def test_a_refused_connection_begins_an_outage_at_once() -> None:
    """And only the first failure is news."""
    outage = OutageDetector()
    assert outage.record_failure(timed_out=False)
    assert outage.active
    assert not outage.record_failure(timed_out=False)


def test_three_time_outs_in_a_row_begin_one() -> None:
    """A reply between them begins the count anew, and so does the end of an outage."""
    outage = OutageDetector()
    assert not outage.record_failure(timed_out=True)
    assert not outage.record_failure(timed_out=True)
    outage.record_success()
    assert not outage.record_failure(timed_out=True)
    assert not outage.record_failure(timed_out=True)
    assert outage.record_failure(timed_out=True)
    outage.end()
    assert not outage.active
    assert not outage.record_failure(timed_out=True)
