"""The table of wishes: what each gives on rows that had no say in it, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from turnout.training.target_backtest import (
    ROUTING_TARGETS,
    RoutingTarget,
    Rows,
    no_better,
    sent,
    table,
    too_wide,
    worth,
)

NONE = np.full(4000, np.nan)


def _rows(count: int = 4000, *, informed: float = 1.0, costs: bool = False, repeats: int = 1) -> Rows:
    """The expensive tier is always right; the cheap one with the chance that `told` knows as much as `informed`."""
    rng = np.random.default_rng(1)
    hard = rng.random(count)
    cheap = (rng.random(count) > hard).astype(float)
    actual = np.stack([informed * hard + (1 - informed) * rng.random(count) for _ in range(repeats)])
    usd = (np.full(count, 1.0), np.full(count, 10.0)) if costs else (NONE[:count], NONE[:count])
    return Rows(actual, cheap, np.ones(count), *usd)


def test_a_wish_is_kept_on_rows_that_did_not_choose_its_threshold() -> None:
    """To within chance: 4,000 rows tell a share and a quality to about a point."""
    made = {line["wish"]: line for line in table(_rows(costs=True))}
    assert list(made) == [str(target) for target in ROUTING_TARGETS]
    for quality in (0.9, 0.95, 0.97, 0.99):
        line = made[f"keep_quality = {quality}"]
        assert line["quality_kept"] == pytest.approx(quality, abs=0.01)
        low, high = line["intervals"]["quality_kept"]
        assert low < line["quality_kept"] < high
        assert high - low < 0.03
    for share in (0.1, 0.3, 0.5):
        line = made[f"max_expensive_share = {share}"]
        assert line["expensive_share"] == pytest.approx(share, abs=0.01)
        assert line["saving"] == pytest.approx(1 - (share * 10 + (1 - share) * 1) / 10, abs=0.01)
    assert made["keep_quality = 0.9"]["expensive_share"] < made["keep_quality = 0.99"]["expensive_share"]
    # The hardest third fails with a chance of 5/6: sending 30 % recovers .51 of the gap of one half.
    assert made["max_expensive_share = 0.3"]["gap_recovered"] == pytest.approx(0.51, abs=0.03)


def test_what_is_saved_hangs_on_no_unit() -> None:
    """Of calls at a millionth of a dollar just as much."""
    rows = _rows(400, costs=True)
    small = replace(rows, cheap_usd=rows.cheap_usd * 1e-6, expensive_usd=rows.expensive_usd * 1e-6)
    (actual,), (again,) = (table(each, [RoutingTarget("max_expensive_share", 0.3)]) for each in (rows, small))
    assert again["saving"] == pytest.approx(actual["saving"])
    assert again["intervals"]["saving"] == pytest.approx(actual["intervals"]["saving"])


def test_a_scorer_that_knows_nothing_is_told_so() -> None:
    """A tenth of the calls recovers a tenth of the gap, not what its own choice of rows would flatter it with."""
    line = table(_rows(informed=0.0), [RoutingTarget("max_expensive_share", 0.1)])[0]
    assert line["gap_recovered"] == pytest.approx(0.1, abs=0.03)
    assert line["saving"] is None


def test_a_threshold_is_never_chosen_by_the_row_itself() -> None:
    """With told gains of pure noise, choosing on the same rows would keep exactly the wish; held out it may miss.

    One row of huge gain alone: where it may not vote, its threshold is the others'.
    """
    actual = np.array([[0.1, 0.2, 0.3, 0.4, 0.9]])
    rows = Rows(actual, np.array([1, 1, 1, 1, 0.0]), np.ones(5), *(np.full(5, np.nan),) * 2)
    # Without row 5 all-cheap keeps everything, so nothing is expensive: that is what row 5 is held against.
    assert sent(rows, RoutingTarget("keep_quality", 1.0), 0)[4] == 0.0


def test_of_equal_gains_a_share_takes_as_many_as_it_needs() -> None:
    """As service does: two kinds of row, and a wish for fewer than the better kind has, and for more."""
    actual = np.where(np.arange(400) < 200, 0.5, 0.1)[None]
    rows = Rows(actual, np.zeros(400), np.ones(400), NONE[:400], NONE[:400])
    for share in (0.1, 0.3, 0.5, 0.7):
        given = sent(rows, RoutingTarget("max_expensive_share", share), 0)
        assert given.mean() == pytest.approx(share, abs=0.02)
        assert given[:200].mean() == pytest.approx(min(1.0, share * 2), abs=0.04)


def test_repeats_are_averaged() -> None:
    """Three tellings of the same rows: a row may be expensive in one of three."""
    taken = sent(_rows(300, informed=0.5, repeats=3), RoutingTarget("max_expensive_share", 0.3), 0)
    assert set(np.round(taken * 3).astype(int)) == {0, 1, 2, 3}
    assert taken.mean() == pytest.approx(0.3, abs=0.02)


def test_no_gap_and_no_quality_are_told_as_none() -> None:
    """A cheap tier that is better; an expensive one that is always wrong."""
    rows = _rows(100)
    line = table(Rows(rows.predicted, rows.expensive, rows.cheap, NONE[:100], NONE[:100]), ROUTING_TARGETS[:1])[0]
    assert line["gap_recovered"] is None
    line = table(Rows(rows.predicted, rows.cheap, np.zeros(100), NONE[:100], NONE[:100]), ROUTING_TARGETS[:1])[0]
    assert line["quality_kept"] is None


def test_few_rows_are_doubted_with_the_number_that_would_do() -> None:
    """Of 200 rows the promise is several points wide; of 4,000 it is not."""
    few = _rows(200)
    actual = too_wide(few, table(few))
    assert "200 rows promise little: keep_quality = 0.95 kept between" in actual[0]
    wanted = int(actual[0].rsplit(" ", 1)[1].replace(",", ""))
    # So many do: a point to either side.
    (line,) = table(_rows(wanted), [RoutingTarget("keep_quality", 0.95)])
    low, high = line["intervals"]["quality_kept"]
    assert (high - low) / 2 == pytest.approx(0.01, abs=0.003)
    often = copied(few, 5)
    assert "200 different texts promise little" in too_wide(often, table(often))[0]
    many = _rows()
    assert too_wide(many, table(many)) == []


def test_swapped_columns_ask_for_no_rows() -> None:
    """The cheap tier is better, so the wish is surely kept: whatever is wrong, more rows do not mend it."""
    rows = _rows(200)
    swapped = Rows(rows.predicted, rows.expensive, rows.cheap, NONE[:200], NONE[:200])
    made = table(swapped)
    low, high = next(line for line in made if line.get("keep_quality") == 0.95)["intervals"]["quality_kept"]
    assert high - low > 0.1
    assert low > 1.0
    assert too_wide(swapped, made) == []


def test_tiers_that_are_alike_are_doubted_without_a_number() -> None:
    """Two coins: how many rows would do hangs on a gap that may not be there."""
    rng = np.random.default_rng(3)
    cheap, expensive = ((rng.random(200) > 0.5).astype(float) for _ in range(2))
    rows = Rows(rng.random((1, 200)), cheap, expensive, NONE[:200], NONE[:200])
    (actual,) = too_wide(rows, table(rows))
    assert actual.endswith("the tiers are too alike on them to tell how many would do")


def copied(rows: Rows, times: int) -> Rows:
    """Each row so many times, as logs hold requests that come again."""
    at = np.tile(np.arange(len(rows.cheap)), times)
    parts = (part[..., at] for part in (rows.predicted, rows.cheap, rows.expensive, rows.cheap_usd, rows.expensive_usd))
    return Rows(*parts, texts=at)


def test_a_text_never_chooses_the_threshold_for_its_own_copies() -> None:
    """The one row that gains, twice: without both of them nothing need be expensive."""
    actual = np.append(np.linspace(0.1, 0.4, 59), 0.9)[None]
    rows = Rows(actual, np.append(np.ones(59), 0.0), np.ones(60), NONE[:60], NONE[:60])
    assert sent(copied(rows, 2), RoutingTarget("keep_quality", 1.0), 0)[[59, 119]].tolist() == [0.0, 0.0]


def test_copies_make_the_table_no_surer() -> None:
    """Five times the rows, the same texts: the same figures, as far from certain."""
    rows = _rows(300, informed=0.7)
    target = [RoutingTarget("keep_quality", 0.9)]
    (once,), (often,) = table(rows, target), table(copied(rows, 5), target)
    assert often["quality_kept"] == pytest.approx(once["quality_kept"], abs=0.01)
    widths = [np.diff(line["intervals"]["quality_kept"]) for line in (once, often)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_what_may_be_luck_is_said_to_be() -> None:
    """Noise, and a scorer that tells all requests alike; one that knows is not doubted."""
    noise = _rows(300, informed=0.0)
    actual = worth(noise)
    assert actual is not None
    assert actual[1][0] < 0.5 < actual[1][1]
    (doubt,) = no_better(noise, actual)
    assert doubt.startswith(f"this scorer may be no better than a coin: APGR {actual[0]:.3f} (")
    alike = replace(noise, predicted=np.zeros((3, 300)))
    assert "every request scores the same" in no_better(alike, worth(alike))[0]
    good = _rows(300)
    assert worth(good)[0] == pytest.approx(0.68, abs=0.05)  # type: ignore[index]
    assert no_better(good, worth(good)) == []
    none = replace(good, expensive=good.cheap)
    assert worth(none) is None
    assert no_better(none, None) == []
