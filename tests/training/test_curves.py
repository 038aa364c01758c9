"""The figures: RouteLLM's definitions on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.training.curves import (
    Ranked,
    bootstrap,
    cost_figures,
    figures,
    interval,
    mean_and_error,
    quality_figures,
    threshold_figures,
)

CHEAP = np.array([0.0, 0.0, 1.0, 1.0])
EXPENSIVE = np.ones(4)


def test_a_perfect_order_and_its_reverse() -> None:
    """All the gain in the first half: 0.75 of the square; in the second: 0.25."""
    good = figures(np.array([0.9, 0.8, 0.2, 0.1]), CHEAP, EXPENSIVE)
    assert (good["apgr"], good["cpt50"], good["cpt80"]) == pytest.approx((0.75, 0.25, 0.4))
    bad = figures(np.array([0.1, 0.2, 0.8, 0.9]), CHEAP, EXPENSIVE)
    assert (bad["apgr"], bad["cpt50"]) == pytest.approx((0.25, 0.75))


def test_ties_are_shared_out() -> None:
    """One score for all is random routing, whatever the order of the rows."""
    actual = figures(np.zeros(4), CHEAP, EXPENSIVE)
    assert (actual["apgr"], actual["cpt50"], actual["cpt80"]) == pytest.approx((0.5, 0.5, 0.8))
    ranked = Ranked.of(np.zeros(4), CHEAP, EXPENSIVE)
    share, quality = ranked.curve(ranked.even)
    assert (share.tolist(), quality.tolist()) == ([0, 1], [0.5, 1.0])


def test_no_gap_has_no_apgr_but_a_reason() -> None:
    """Null, never a division by nothing."""
    actual = figures(np.arange(4.0), EXPENSIVE, CHEAP)
    assert actual["apgr"] is None
    assert "not better" in actual["reason"]


def test_the_own_threshold_tells_share_quality_and_saving() -> None:
    """What is sent is counted as it is, not by the curve; without costs nothing is said of them."""
    score, sent = np.array([0.9, 0.5, 0.4, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])
    costs = (np.ones(4), np.full(4, 10.0))
    ranked = Ranked.of(score, CHEAP, EXPENSIVE, sent=sent, costs=costs)
    actual = threshold_figures(ranked, ranked.even)
    assert (actual["keep95_threshold_share"], actual["keep95_quality"]) == (0.5, 1.0)
    assert actual["keep95_saving"] == pytest.approx(1 - 22 / 40)
    assert actual["keep95_saving_usd"] == pytest.approx(18)
    bare = Ranked.of(score, CHEAP, EXPENSIVE, sent=sent, costs=(np.array([1, np.nan, 1, 1]), costs[1]))
    assert threshold_figures(bare, bare.even)["keep95_saving"] is None
    assert cost_figures(bare, bare.even) == {}


def test_ninety_five_per_cent_is_kept_by_the_smallest_share() -> None:
    """All cheap keeps 0.5; the first two rows bring 0.25 each, so 0.95 is reached at 0.45 of the calls."""
    assert figures(np.array([4.0, 3, 2, 1]), CHEAP, EXPENSIVE)["keep95_expensive_share"] == pytest.approx(0.45)
    assert figures(np.array([1.0, 2, 3, 4]), CHEAP, EXPENSIVE)["keep95_expensive_share"] == pytest.approx(0.95)
    assert figures(np.zeros(4), EXPENSIVE, CHEAP)["keep95_expensive_share"] == 0.0


def test_aiq_is_the_area_under_the_non_decreasing_hull() -> None:
    """Two cheap failures sent first: from (1, .5) to (5.5, 1), then level to (10, 1); alone the straight line."""
    costs = (np.ones(4), np.full(4, 10.0))
    good = Ranked.of(np.array([4.0, 3, 2, 1]), CHEAP, EXPENSIVE, costs=costs)
    actual = cost_figures(good, good.even)
    assert actual["aiq"] == pytest.approx((4.5 * 0.75 + 4.5 * 1.0) / 9)
    assert actual["aiq_no_router"] == pytest.approx(0.75)
    # The worst order falls nowhere below the line between the tiers: the hull leaves it out.
    bad = Ranked.of(np.array([1.0, 2, 3, 4]), CHEAP, EXPENSIVE, costs=costs)
    assert cost_figures(bad, bad.even)["aiq"] == pytest.approx(0.75)


def test_whoever_pays_more_need_not_get_less() -> None:
    """Of two rows the expensive tier mends one and spoils the other: the hull is level from its best point on."""
    costs = (np.ones(2), np.full(2, 10.0))
    ranked = Ranked.of(np.array([2.0, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), costs=costs)
    actual = cost_figures(ranked, ranked.even)
    assert actual["aiq"] == pytest.approx((4.5 * 0.75 + 4.5 * 1.0) / 9)
    assert actual["aiq_no_router"] == pytest.approx(0.5)
    # All-expensive worse than all-cheap, and no order that helps: all-cheap's quality, whatever is paid.
    worse = Ranked.of(np.array([2.0, 1.0]), np.array([0.6, 0.9]), np.zeros(2), costs=costs)
    assert cost_figures(worse, worse.even) == pytest.approx({"aiq": 0.75, "aiq_no_router": 0.75})


def _least_hull(cost: np.ndarray, quality: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The least non-decreasing concave function above the points, by trying all pairs."""
    actual = np.array([quality[cost <= x].max() for x in at])
    for left in range(len(cost)):
        for right in range(len(cost)):
            if cost[left] < cost[right]:
                within = (at >= cost[left]) & (at <= cost[right])
                slope = (quality[right] - quality[left]) / (cost[right] - cost[left])
                actual[within] = np.maximum(actual, quality[left] + slope * (at - cost[left]))[within]
    return actual


@pytest.mark.parametrize("seed", range(8))
def test_aiq_is_that_of_all_mixtures_of_two_points(seed: int) -> None:
    """On any rows, the dearer tier's answers better or not: as found by trying all pairs, not by a hull."""
    rng = np.random.default_rng(seed)
    cheap, dear = rng.random(12), rng.random(12) + 0.3 * (seed % 3 - 1)
    costs = (rng.random(12), 1.0 + rng.random(12))
    ranked = Ranked.of(rng.random(12), cheap, dear, costs=costs)
    cost, quality = ranked.costs(ranked.even), ranked.curve(ranked.even)[1]
    at = np.linspace(cost[0], cost[-1], 4_001)
    wanted = np.trapezoid(_least_hull(cost, quality, at), at) / (cost[-1] - cost[0])
    assert cost_figures(ranked, ranked.even)["aiq"] == pytest.approx(wanted, abs=1e-4)


def test_costs_may_be_in_any_unit() -> None:
    """A millionth of a dollar a call saves the same share."""
    score, sent = np.array([0.9, 0.5, 0.4, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])
    results = []
    for unit in (1.0, 1e-6):
        ranked = Ranked.of(score, CHEAP, EXPENSIVE, sent=sent, costs=(np.full(4, unit), np.full(4, 10 * unit)))
        results.append({**threshold_figures(ranked, ranked.even), **cost_figures(ranked, ranked.even)})
        assert results[-1].pop("keep95_saving_usd") == pytest.approx(18 * unit)
        assert results[-1].pop("expensive_usd") == pytest.approx(40 * unit)
    assert results[0] == pytest.approx(results[1])


def test_a_weight_counts_like_so_many_rows() -> None:
    """The curve of weighted rows is that of the rows repeated; a row of weight 0 is not there."""
    rng = np.random.default_rng(5)
    score, cheap, dear = rng.random(30), rng.random(30), rng.random(30)
    weight = rng.integers(0, 4, 30)
    ranked = Ranked.of(score, cheap, dear)
    actual = quality_figures(ranked, weight[ranked.order].astype(float))
    again = figures(*(np.repeat(values, weight) for values in (score, cheap, dear)))
    assert {k: actual[k] for k in ("apgr", "cpt50", "cpt80")} == pytest.approx(
        {k: again[k] for k in ("apgr", "cpt50", "cpt80")}
    )


def test_an_interval_is_the_middle_ninety_five_per_cent() -> None:
    """A fortieth of the draws to either side."""
    assert interval([float(at) for at in range(1_001)]) == pytest.approx([25.0, 975.0])


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 60 samples of rows whose APGR is 2/3 on all rows, about 95 % have it inside: at least 50."""
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        score = rng.random(300)
        dear = (rng.random(300) < score).astype(float)
        ranked = Ranked.of(score, np.zeros(300), dear)
        drawn = bootstrap(lambda w, r=ranked: quality_figures(r, w), ranked.even, draws=100, seed=seed)  # type: ignore[misc]
        low, high = interval(drawn["apgr"])
        inside += low <= 2 / 3 <= high
    assert inside >= 50


def test_the_error_shrinks_with_rows() -> None:
    """A bootstrap over ten times the rows is about three times as sure."""
    rng = np.random.default_rng(0)
    errors = []
    for rows in (100, 1000):
        score = rng.random(rows)
        ranked = Ranked.of(score, np.zeros(rows), (rng.random(rows) < score).astype(float))
        drawn = bootstrap(lambda w, r=ranked: quality_figures(r, w), ranked.even, draws=200)  # type: ignore[misc]
        errors.append(np.std(drawn["apgr"]))
    assert errors[1] < 0.6 * errors[0]


def test_how_sure_a_figure_is_hangs_on_texts_and_weights() -> None:
    """Twenty rows that weigh a hundred times the others are twenty rows, and copies are no rows more."""
    weight = np.where(np.arange(600) < 20, 100.0, 1.0)
    rng = np.random.default_rng(5)
    means, actual = [], []
    for seed in range(200):
        dear = (rng.random(600) < 0.5).astype(float)
        means.append(np.average(dear, weights=weight))
        if seed < 10:
            ranked = Ranked.of(rng.random(600), np.zeros(600), dear)
            drawn = bootstrap(  # type: ignore[misc]
                lambda w, r=ranked: quality_figures(r, w), weight[ranked.order], draws=200, seed=seed
            )
            actual.append(np.std(drawn["expensive_quality"]))
    assert np.mean(actual) == pytest.approx(np.std(means), rel=0.25)
    dear, copies = (rng.random(100) < 0.5).astype(float), np.repeat(np.arange(100), 6)
    once = bootstrap(lambda w: {"mean": float(np.average(dear, weights=w))}, np.ones(100), draws=300)
    often = bootstrap(
        lambda w: {"mean": float(np.average(dear[copies], weights=w))}, np.ones(600), draws=300, texts=copies
    )
    assert often["mean"] == pytest.approx(once["mean"])
    mean, error = mean_and_error(dear[copies], np.ones(600), copies)
    assert (mean, error) == pytest.approx((dear.mean(), dear.std() / 10))


def test_a_single_text_tells_nothing_of_how_sure_it_is() -> None:
    """Infinite, not nought."""
    assert mean_and_error(np.array([0.0, 1.0]), np.ones(2), np.zeros(2, np.intp)) == (0.5, np.inf)
