"""The pictures show the figures: the chosen point on its curve, and told gains against those that came true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.cli import output_files
from turnout.errors import UsageError
from turnout.logs.labelled import Logs
from turnout.training import plots


@pytest.fixture
def axes() -> Iterator[Any]:
    """To draw on, with nobody watching."""
    plt = plots._pyplot()
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def logs(weights: tuple[float, ...] = (1, 1, 1, 1)) -> Logs:
    """The cheap tier fails the first two of four, and the expensive one is good for 0.8; the longest are the last."""
    return Logs.from_rows(
        {"prompt": "x" * (at + 1), "cheap_quality": 0.8 * (at > 1), "expensive_quality": 0.8, "weight": weights[at]}
        for at in range(4)
    )


def points(axes: Any, label: str) -> list[tuple[float, float]]:
    """Of the line that the legend calls so."""
    (line,) = [line for line in axes.lines if str(line.get_label()).startswith(label)]
    return [(pytest.approx(x), pytest.approx(y)) for x, y in line.get_xydata()]


SCORE = np.array([0.9, 0.8, 0.2, 0.1])


def test_the_curve_goes_from_all_cheap_to_all_expensive_through_the_chosen_point(axes: Any) -> None:
    """Half of the calls bring the whole gap, the longest prompts first nothing until then."""
    plots._curve(axes, logs(), SCORE, plots.Chosen("keep_quality = 0.95", 0.45, 0.95))
    assert points(axes, "Turnout") == [(0, 0.4), (25, 0.6), (50, 0.8), (75, 0.8), (100, 0.8)]
    assert points(axes, "longest") == [(0, 0.4), (25, 0.4), (50, 0.4), (75, 0.6), (100, 0.8)]
    assert points(axes, "random") == [(0, 0.4), (100, 0.8)]
    assert points(axes, "all cheap (0.400)") == [(0, 0.4)]
    assert points(axes, "all expensive (0.800)") == [(100, 0.8)]
    # 0.45 of the calls are 0.9 of the way to half of them: 0.76 is 95 % of 0.8, and lies on the curve.
    assert points(axes, "keep_quality = 0.95: 45% expensive, 95.0% kept") == [(45, 0.76)]


def test_the_curve_is_of_what_rows_count_for(axes: Any) -> None:
    """The first row three times, the last not at all."""
    plots._curve(axes, logs((3, 1, 1, 0)), SCORE, None)
    assert points(axes, "Turnout") == [(0, 0.16), (60, 0.64), (80, 0.8), (100, 0.8), (100, 0.8)]


def test_told_gains_are_held_against_those_that_came_true(axes: Any) -> None:
    """Where they do, every point is on the line, each of as much as another; their bars are two standard errors."""
    rng = np.random.default_rng(1)
    actual = rng.random(4_000)
    plots._calibration(axes, actual, (rng.random(4_000) < actual).astype(float), np.ones(4_000))
    (drawn,) = axes.containers
    x, y = drawn.lines[0].get_data()
    assert x == pytest.approx((np.arange(10) + 0.5) / 10, abs=0.02)
    assert y == pytest.approx(x, abs=0.08)
    bars = [bar[1, 1] - bar[0, 1] for bar in drawn.lines[2][0].get_segments()]
    assert bars[5] == pytest.approx(4 * 0.5 / 400**0.5, rel=0.05)


def test_rows_that_count_nothing_move_no_point_and_others_by_their_weight(axes: Any) -> None:
    """As everywhere else: a row of weight 2 is two rows."""
    rng = np.random.default_rng(2)
    actual, came, weight = rng.random(900), rng.random(900), rng.integers(0, 3, 900)
    plots._calibration(axes, actual, came, weight.astype(float))
    plots._calibration(axes, *(np.repeat(values, weight) for values in (actual, came)), np.ones(weight.sum()))
    weighed, repeated = (drawn.lines[0].get_xydata() for drawn in axes.containers)
    assert weighed == pytest.approx(repeated, abs=0.02)
    plots._calibration(axes, actual, np.where(weight > 0, came, 1.0), weight.astype(float))
    assert axes.containers[2].lines[0].get_xydata() == pytest.approx(weighed)


@pytest.mark.parametrize("gain", [SCORE, np.zeros(4)])
def test_a_picture_is_written_to_just_that_path(tmp_path: Path, gain: Any) -> None:
    """Without the calibration where every told gain is the same."""
    plots.curve_and_calibration(tmp_path / "a.b", logs(), SCORE, gain, None, "four rows")
    assert [path.name for path in tmp_path.iterdir()] == ["a.b"]
    assert (tmp_path / "a.b").read_bytes().startswith(b"\x89PNG")


def test_an_svg_is_written_where_the_name_ends_so(tmp_path: Path) -> None:
    """With the title in it, and known as ours: it may be written over."""
    path = tmp_path / "a.svg"
    plots.curve_and_calibration(path, logs(), SCORE, SCORE, None, "four rows, scored by hand")
    assert "<svg" in path.read_text("utf-8")
    output_files.check_plot(str(path), [])
    path.write_text("<svg>another's</svg>")
    with pytest.raises(UsageError, match="is not a picture that turnout drew"):
        output_files.check_plot(str(path), [])


def test_the_band_holds_the_curve_and_narrows_with_more_rows() -> None:
    """The middle 95 % of the bootstrap's draws; repeats of a text make it no narrower."""
    few = Logs.from_rows(rows(40))
    many = Logs.from_rows(rows(640))
    widths = []
    for each in (few, many):
        score = np.linspace(1, 0, len(each))
        low, high = plots.band(score, each)
        share, quality = plots._weighted(score, each)
        at = np.interp(plots.BAND_GRID, share, quality)
        assert ((low <= at) & (at <= high)).mean() > 0.95
        widths.append(float((high - low).mean()))
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.3)
    score = np.repeat(np.linspace(1, 0, 40), 16)
    low, high = plots.band(score, Logs.from_rows([row for row in rows(40) for _ in range(16)]))
    assert float((high - low).mean()) == pytest.approx(widths[0], rel=0.2)


def rows(count: int) -> list[dict[str, Any]]:
    """Each with a text of its own; every third is right at the cheap tier."""
    return [{"prompt": f"q{at}", "cheap_quality": float(at % 3 == 0), "expensive_quality": 1.0} for at in range(count)]


def test_the_axis_above_tells_what_a_share_costs_where_every_cost_is_told(axes: Any) -> None:
    """USD for 1,000 requests, from all-cheap to all-expensive; without the costs there is no such axis."""
    costs = [{**row, "cheap_usd": 0.001, "expensive_usd": 0.01} for row in rows(10)]
    ticks = plots.cost_ticks(np.linspace(1, 0, 10), Logs.from_rows(costs))
    assert ticks == pytest.approx([1.0, 2.8, 4.6, 6.4, 8.2, 10.0])
    assert plots.cost_ticks(np.linspace(1, 0, 10), Logs.from_rows(rows(10))) is None
    plots._curve(axes, Logs.from_rows(costs), np.linspace(1, 0, 10), None)
    (above,) = [each for each in axes.figure.axes if each is not axes]
    assert [label.get_text() for label in above.get_xticklabels()] == ["1", "2.8", "4.6", "6.4", "8.2", "10"]
