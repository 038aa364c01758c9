"""The header of a scorer file: anything but what training writes is refused by the name of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.routing.scorer_header import Header

GOOD: dict[str, Any] = {
    "intercept": 0.1, "mean_gain": 0.2, "gain_slope": 1, "gain_intercept": 0.0, "tag_share": 0.3,
    "trees": 12, "tree_depth": 3, "served": ["words"], "tags": ["/ask"], "known_tags": ["/ask", "/other"],
    "keep_quality": [[0.5, 1.0], [0.95, 0.4], [1.0, 0.0]],
    "novelty": {"limit": 0.5, "usual": {}}, "summary": {"rows": 100},
}  # fmt: skip


def test_what_training_writes_is_read() -> None:
    """Each of its parts."""
    header = Header.of(GOOD)
    assert header.known_tags == {"/ask", "/other"}
    assert header.keep_quality == [(0.5, 1.0), (0.95, 0.4), (1.0, 0.0)]
    assert (header.trees, header.gain_slope, header.summary) == (12, 1.0, {"rows": 100})


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"summary"}))
def test_nothing_may_be_missing_but_the_summary(name: str) -> None:
    """It is for reading only."""
    with pytest.raises(KeyError, match=name):
        Header.of({key: value for key, value in GOOD.items() if key != name})
    assert Header.of({key: value for key, value in GOOD.items() if key != "summary"}).summary == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intercept", "0.1"), ("intercept", True), ("intercept", float("nan")), ("mean_gain", 1.5), ("mean_gain", None),
        ("trees", 1.0), ("trees", True), ("tree_depth", "3"),
        ("trees", -1), ("tree_depth", -1), ("gain_slope", -0.1), ("served", ["words", "words"]), ("tags", ["a", "a"]),
        ("served", "words"), ("tags", [1]), ("known_tags", "/ask"), ("known_tags", {"/ask": 1}), ("known_tags", None),
        ("keep_quality", []), ("keep_quality", {}), ("keep_quality", [[0.5]]), ("keep_quality", [[0.5, "1"]]),
        ("keep_quality", [[0.5, 1.2]]), ("keep_quality", [[0.9, 0.1], [0.5, 0.2]]), ("keep_quality", ["ab"]),
        ("novelty", []), ("summary", 5), ("summary", None),
    ],
)  # fmt: skip
def test_a_part_of_another_kind_is_refused_by_its_name(name: str, value: Any) -> None:
    """A text is a sequence too: as known tags it would be one tag a letter; no table would route all to one tier."""
    with pytest.raises(ValueError, match=name if name != "keep_quality" else "keep_quality|threshold"):
        Header.of({**GOOD, name: value})
