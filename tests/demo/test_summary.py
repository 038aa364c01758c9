"""The summary's line on the cascade."""

from typing import Any

import pytest

from turnout.demo.summary import RoutedAnswer, TierAnswer, as_text, summarise, summarise_cascade


def routed(task_id: str, **fields: Any) -> RoutedAnswer:
    """A right cheap answer of one call for a cent, not from the cache, but for these fields."""
    plain = {"correct": True, "tier": "cheap", "two_calls": False, "cache_hit": False, "cost_usd": 0.01}
    return RoutedAnswer(task_id=task_id, turnout_ms=1.0, inference_ms=1.0, **plain | fields)


CHEAP = {task_id: TierAnswer(text="Answer: 1", correct=task_id != "d", cost_usd=0.01) for task_id in "abcd"}
EXPENSIVE = {task_id: TierAnswer(text="Answer: 1", correct=True, cost_usd=0.2) for task_id in "abcd"}
ESCALATED = routed("d", tier="expensive", two_calls=True, cost_usd=0.21)


def test_the_cascade_is_counted_over_distinct_prompts_with_both_calls_paid() -> None:
    """A repeat from the cache counts nowhere, and an escalated request costs both calls."""
    figures = summarise_cascade([*map(routed, "abc"), ESCALATED, routed("a", cache_hit=True)], EXPENSIVE)
    assert figures == {
        "distinct": 4,
        "expensive_share": 0.25,
        "two_calls_share": 0.25,
        "quality": 1.0,
        "quality_kept": 1.0,
        "cost_usd": pytest.approx(0.24),
        "saving": pytest.approx(0.7),
    }


@pytest.mark.parametrize(
    ("cascade", "told"),
    [
        ([*map(routed, "abc"), ESCALATED], "70.0% saved by routing, 0.2400 USD; 100.0% of all-expensive's quality"),
        ([*map(routed, "abc"), ESCALATED], "two calls for 25.0% Turnout's"),
        ([*map(routed, "abc"), routed("d", correct=False, cost_usd=0.21)], "; it gains nothing here"),
    ],
)
def test_the_text_tells_what_the_cascade_saves_and_keeps(cascade: list[RoutedAnswer], told: str) -> None:
    """Where it neither saves nor keeps more than the question alone, that is said."""
    alone = [*map(routed, "abc"), routed("d", correct=False)]
    summary = summarise(alone, 0, CHEAP, EXPENSIVE)
    summary["cascade"] = {"refused": None} | summarise_cascade(cascade, EXPENSIVE)
    text = as_text(summary)
    # As it reads, wherever it is wrapped.
    assert told in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_a_refused_cascade_tells_why_and_no_figures() -> None:
    """The reason that training gave stands in place of what it saves."""
    summary = summarise(list(map(routed, "abc")), 0, CHEAP, EXPENSIVE)
    summary["cascade"] = {"refused": f"not sure to add anything{9 * ' to the question'}"}
    text = as_text(summary)
    assert "with the cascade       refused   not sure to add anything to the" in text
    assert max(map(len, text.splitlines())) <= 80
