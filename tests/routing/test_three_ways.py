"""Cheap only, straight or verified: by what answers to such questions were said to be worth."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.routing.three_ways import BINS, QUANTILES, Way, bin_of, way_of


def gains(low: float, high: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.tile(np.linspace(low, high, QUANTILES), (BINS, 1))


@pytest.mark.parametrize(
    ("low", "high", "threshold", "ratio", "way"),
    [
        (-0.2, 0.8, 0.3, 16.7, "verify"),
        (-0.2, 0.25, 0.3, 16.7, "cheap"),  # no answer was ever asked again
        (0.35, 0.9, 0.3, 16.7, "straight"),  # every answer was
        (0.29, 0.9, 0.3, 16.7, "straight"),  # nearly every one: a cheap call costs more than it saves
        (0.29, 0.9, 0.3, 1e9, "verify"),  # where a cheap call is all but free it is asked first
        (-0.2, 0.8, -np.inf, 16.7, "straight"),
        (-0.2, 0.8, np.inf, 16.7, "cheap"),
    ],
)
def test_the_way_of_greatest_expected_value(low: float, high: float, threshold: float, ratio: float, way: Way) -> None:
    """Of an escalation's chance, its gain and both prices."""
    assert way_of(0.5, threshold, gains(low, high), ratio) == way


def test_scores_fall_into_eighths() -> None:
    """Ends and what lies beyond them included."""
    assert [bin_of(score) for score in (-1.0, 0.0, 0.124, 0.126, 0.999, 1.0)] == [0, 0, 0, 1, BINS - 1, BINS - 1]
