"""Logs at the edge: each trains sensibly, or is refused with the reason."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.errors import LogError
from turnout.logs import labelled as labelled_logs
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query
from turnout.training import fit

pytestmark = pytest.mark.usefixtures("light")

Row = list[Any]
EASY, HARD = "Please add 4 and 5", "Please add 4 and 5 and 6 and 7 and 8 and 9 and 11 and 12"


def rows(count: int, seed: int = 1) -> list[Row]:
    """Sums: the cheap tier fails at the long ones."""
    rng = random.Random(seed)
    results = []
    for _ in range(count):
        numbers = [str(rng.randint(1, 99)) for _ in range(rng.randint(2, 9))]
        cheap = int(rng.random() < (0.95 if len(numbers) < 5 else 0.1))
        results.append(["Please add " + " and ".join(numbers), cheap, 1, rng.choice("ab")])
    return results


def trained(path: Path, examples: list[Row], most: int = fit.MOST_ROWS) -> fit.Fitted:
    """As the command trains: written as CSV, read, fitted."""
    file = path / "logs.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["prompt", "cheap_quality", "expensive_quality", "group"], *examples])
    return fit.train(labelled_logs.read_logs([file], most=most))


def learnt(fitted: fit.Fitted) -> bool:
    """Whether a long sum scores above a short one."""
    easy, hard = (fitted.scorer.score(Query.from_text(text)).score for text in (EASY, HARD))
    return easy < 0.5 < hard


def test_fifty_rows_train_and_are_called_few(tmp_path: Path) -> None:
    """What is plain is learnt; that the figures will move is said."""
    fitted = trained(tmp_path, rows(50))
    assert learnt(fitted)
    assert any("50 rows are few" in warning for warning in fitted.warnings)


@pytest.mark.parametrize(("cheap", "expensive", "gain"), [(0, 1, "1"), (1, 0, "-1"), (1, 1, "0"), (0.5, 0.5, "0")])
def test_one_class_is_refused(tmp_path: Path, cheap: float, expensive: float, gain: str) -> None:
    """Both qualities the same in every row: the reason names the gain."""
    actual = [[prompt, cheap, expensive, group] for prompt, _, _, group in rows(50)]
    with pytest.raises(LogError, match=f"is {gain} in every row"):
        trained(tmp_path, actual)


def test_one_constant_quality_is_enough_where_the_other_tells(tmp_path: Path) -> None:
    """The expensive tier always 0.6: the gain still differs from row to row."""
    fitted = trained(tmp_path, [[prompt, cheap * 0.6, 0.6, group] for prompt, cheap, _, group in rows(100)])
    assert learnt(fitted)
    assert fitted.scorer.score(Query.from_text(HARD)).expected_gain <= 0.7


def test_a_single_row_that_gains_promises_no_more_than_it_knows(tmp_path: Path) -> None:
    """All alike but one: it trains, says that the gap is too small, and keeps nearly all on the cheap tier."""
    actual = [[prompt, int(at != 7), 1, group] for at, (prompt, _, _, group) in enumerate(rows(60))]
    fitted = trained(tmp_path, actual)
    assert any("too small to promise" in warning for warning in fitted.warnings)
    assert fitted.scorer.threshold_for_quality(0.95) == 1.0


def test_empty_prompts_are_skipped_and_counted(tmp_path: Path) -> None:
    """The rest trains; with nothing but empty ones the first is named."""
    actual = rows(90)
    for at in range(0, 90, 3):
        actual[at][0] = "" if at % 2 else "  \n "
    fitted = trained(tmp_path, actual)
    assert (fitted.scorer.summary["rows"], fitted.scorer.summary["skipped"]) == (60, 30)
    assert learnt(fitted)
    with pytest.raises(LogError, match=r"no good row.*logs\.csv:2: prompt is empty"):
        trained(tmp_path, [["", *row[1:]] for row in actual])


def test_swapped_columns_are_asked_about(tmp_path: Path) -> None:
    """Trained all the same, for a cheap tier may be better; then nothing needs the expensive one."""
    fitted = trained(tmp_path, [[prompt, expensive, cheap, group] for prompt, cheap, expensive, group in rows(100)])
    assert "swapped" in fitted.warnings[0]
    assert fitted.scorer.threshold_for_quality(0.99) == 1.0


def test_a_gain_that_differs_by_rounding_alone_is_refused(tmp_path: Path) -> None:
    """0.1 + 0.3 is not 0.4: it is no sign of anything."""
    with pytest.raises(LogError, match=r"expensive minus cheap quality is 0\.3 in every row"):
        trained(tmp_path, [[prompt, at % 7 / 10, at % 7 / 10 + 0.3, group] for at, (prompt, _, _, group) in
                           enumerate(rows(100))])  # fmt: skip


def test_the_seed_decides_which_rows_fall_together(tmp_path: Path) -> None:
    """Another seed, other predictions out of fold; the same seed, the same."""
    actual = Logs.from_rows(
        {"prompt": prompt, "cheap_quality": cheap, "expensive_quality": dear} for prompt, cheap, dear, _ in rows(100)
    )
    one, again, other = (fit.train(actual, seed=seed).predicted for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)


def test_one_mistyped_cost_moves_the_scorer_little() -> None:
    """20 USD among fractions of a cent: ranked by it, nothing else would count."""
    actual = [
        {"prompt": prompt, "cheap_quality": cheap, "expensive_quality": dear, "cheap_usd": 0.001, "expensive_usd": 0.01}
        for prompt, cheap, dear, _ in rows(200)
    ]
    good = Logs.from_rows(actual)
    actual[5]["expensive_usd"] = 20
    assert np.abs(Logs.from_rows(actual).net_gain - good.net_gain).max() < 0.1


def test_an_expensive_tier_that_is_always_wrong_is_never_needed(tmp_path: Path) -> None:
    """Any part of no quality is kept by the cheap tier alone."""
    fitted = trained(tmp_path, [[prompt, cheap, 0, group] for prompt, cheap, _, group in rows(100)])
    assert fitted.scorer.threshold_for_quality(0.95) == 1.0


def test_one_prompt_over_and_over_teaches_nothing_but_trains(tmp_path: Path) -> None:
    """The same text in every row, its worth a toss: finite figures, and no gain told beyond the mean's reach."""
    fitted = trained(tmp_path, [["Hello there", at % 2, 1, "a"] for at in range(100)])
    assert fitted.scorer.score(Query.from_text("Hello there")).expected_gain == pytest.approx(0.5, abs=0.1)


def test_all_rows_are_read_and_a_sample_is_learnt_from(tmp_path: Path) -> None:
    """Every row is checked, so a bad last one is counted; 400 of 8,000 stand for the 20,000 that the command holds."""
    fitted = trained(tmp_path, [*rows(8_000), ["Please add", 7, 1, "a"]], most=400)
    summary = fitted.scorer.summary
    assert (summary["rows"], summary["rows_used"], summary["skipped"]) == (8_000, 400, 1)
    assert learnt(fitted)


def costly(*, with_costs: bool) -> Logs:
    """Two kinds of request gain the same; of the one the expensive answer costs ten times as much extra."""
    rng = random.Random(5)
    rows = []
    for row in range(200):
        kind, extra = (("ledger", 0.010), ("letter", 0.001))[row % 2]
        cost = {"cheap_usd": 0.001, "expensive_usd": 0.001 + extra} if with_costs else {}
        cheap = float(rng.random() < 0.5)
        rows.append({"prompt": f"{kind} {row}", "cheap_quality": cheap, "expensive_quality": 1, "group": kind, **cost})
    return Logs.from_rows(rows)


def test_where_costs_are_told_a_request_is_ranked_by_what_its_dollars_buy() -> None:
    """The same gain for a tenth of the extra cost comes first; the gain that is told stays the gain."""
    fitted = fit.train(costly(with_costs=True))
    dear, cheap = (fitted.scorer.score(Query.from_text(f"{kind} 500", tag=kind)) for kind in ("ledger", "letter"))
    assert dear.score < 0.5 < cheap.score
    assert dear.tag_score < 0.5 < cheap.tag_score
    mean = float(fitted.logs.gain.mean())
    assert all(abs(actual - mean) < 0.15 for actual in (dear.expected_gain, cheap.expected_gain, dear.tag_gain))
    assert fitted.scorer.summary["costs"] is True


def test_without_costs_or_a_gap_the_gain_alone_ranks() -> None:
    """Not every cost told, an expensive tier that costs no more, one that is no better."""
    logs = costly(with_costs=True)
    some = logs.cheap_usd.copy()
    some[3] = np.nan
    for same in (
        costly(with_costs=False),
        replace(logs, cheap_usd=some),
        replace(logs, cheap_usd=logs.expensive_usd, expensive_usd=logs.cheap_usd),
        replace(logs, cheap=logs.expensive, expensive=logs.cheap),
    ):
        assert np.array_equal(same.net_gain, same.gain)
    assert np.isclose(logs.net_gain.mean(), logs.gain.mean())
    assert not np.array_equal(logs.net_gain, logs.gain)


def test_long_texts_are_fewer_rows() -> None:
    """What training holds is bounded by rows and by characters, drawn evenly, in their order."""
    rows = [{"prompt": f"{'long ' * 19}{row % 7}", "cheap_quality": 0, "expensive_quality": 1} for row in range(60)]
    logs = labelled_logs.Logs.from_rows(rows)
    assert fit.sampled(logs, 0).tolist() == list(range(60))
    for used, bounds in ((31, {"max_characters": 3_000}), (40, {"max_rows": 40}), (20, {"max_characters": 1})):
        chosen = fit.sampled(logs, 0, **bounds).tolist()
        assert chosen == sorted(set(chosen))
        assert len(chosen) == used
