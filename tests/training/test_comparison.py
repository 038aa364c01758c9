"""Two scorers on the same rows: the difference, and how sure it is."""

from __future__ import annotations

import pytest

from turnout.logs.labelled import Logs
from turnout.testing import FixedScorer
from turnout.training import evaluate
from turnout.training.comparison import paired

KNOWS = FixedScorer(scores={"hard": 0.9, "easy": 0.1})
ERRS = FixedScorer(scores={"hard": 0.1, "easy": 0.9})


def rows(count: int = 200, groups: int = 0) -> Logs:
    """Half of the rows are hard: the cheap tier fails them."""
    return Logs.from_rows(
        {"prompt": f"{'hard' if n % 2 else 'easy'} {n}", "cheap_quality": 1 - n % 2, "expensive_quality": 1,
         "group": f"g{n % groups}" if groups else ""}
        for n in range(count)
    )  # fmt: skip


def test_the_second_less_the_first_with_an_interval() -> None:
    """By hand: .75 of the gap against .25; and the reverse of it the other way round."""
    logs = rows()
    knows, errs = (evaluate.with_scorer(logs, scorer) for scorer in (KNOWS, ERRS))
    found = paired(logs, errs, knows)
    assert found["apgr"] == pytest.approx(0.5)
    assert found["by"] == "rows"
    low, high = found["intervals"]["apgr"]
    assert low <= 0.5 + 1e-9
    assert high >= 0.5 - 1e-9
    assert found["keep95_quality"] == pytest.approx(0.5)
    assert paired(logs, knows, errs)["apgr"] == pytest.approx(-0.5)


def test_a_scorer_is_no_better_than_itself() -> None:
    """Paired: the same rows are drawn for both, so nothing is left to chance."""
    logs = rows()
    scored = evaluate.with_scorer(logs, KNOWS)
    found = paired(logs, scored, scored)
    assert found["apgr"] == 0.0
    assert found["intervals"]["apgr"] == [0.0, 0.0]


def test_groups_are_drawn_where_there_are_any() -> None:
    """Rows of one group are no witnesses by themselves."""
    logs = rows(groups=7)
    scored = [evaluate.with_scorer(logs, scorer) for scorer in (KNOWS, ERRS)]
    assert paired(logs, *scored)["by"] == "groups"
