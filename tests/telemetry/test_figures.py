"""The curves of the page: computed once a bucket, and again where one has changed."""

from __future__ import annotations

from turnout.ports.counting import Bucket
from turnout.telemetry.figures import Curves
from turnout.telemetry.series import series


def _bucket(start: int, number: int) -> Bucket:
    return Bucket(
        start=start, series={series("requests", "", "cheap", "m", "miss", "scored", "internal_error"): number}
    )


def test_a_bucket_that_has_not_changed_is_not_computed_again() -> None:
    """Two days of them would hold every request up, once for each look at the page."""
    curves = Curves()
    first = curves._point(_bucket(60, 3).series, 60, 60)
    assert curves._point(_bucket(60, 3).series, 60, 60) is first
    assert curves._point(_bucket(60, 3).series, 600, 60) is not first


def test_a_bucket_that_counts_on_shows_it() -> None:
    """In its place; where nothing was counted stands nothing."""
    curves = Curves()
    for number in (3, 4):
        shown = curves.of([_bucket(60, number), _bucket(180, 1)], 0, 60, 4)
        assert shown["cheap"] == [0, number, 0, 1]
        assert shown["errors"] == [0, number, 0, 1]
        assert shown["hit_rate"] == [None, 0.0, None, 0.0]
        assert (shown["start"], shown["step_s"]) == (0, 60)


def test_what_is_kept_is_bounded() -> None:
    """However long the page stays open."""
    curves = Curves()
    for at in range(0, 5000 * 60, 60):
        curves.of([_bucket(at, 1)], at, 60, 1)
    assert len(curves._kept) <= Curves.MOST
