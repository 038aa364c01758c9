"""What a tag alone tells: its mean, drawn towards the mean of all by how little its rows tell."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.training.tag_means import tag_means


def test_few_rows_are_believed_less_than_many() -> None:
    """Two tags as far from the mean: of four rows, and of two hundred."""
    rng = np.random.default_rng(4)
    sizes = {"many": (200, 1.0), "few": (4, 1.0), "low": (200, -1.0), "lower": (200, -1.2)}
    tags = [tag for tag, (count, _) in sizes.items() for _ in range(count)]
    noise = rng.normal(size=len(tags))
    gain = np.array([sizes[tag][1] for tag in tags]) + noise
    actual, which = tag_means(gain, tags), np.array(tags)
    raw = {tag: float(gain[which == tag].mean() - gain.mean()) for tag in sizes}
    kept = {tag: actual[tag] / raw[tag] for tag in sizes}
    assert kept["few"] < kept["many"] - 0.1
    assert 0.9 < kept["many"] < 1.0


@pytest.mark.parametrize("tags", [["a"] * 50, [str(at) for at in range(50)], ["a", "b"] * 25])
def test_tags_that_tell_nothing_are_left_out(tags: list[str]) -> None:
    """One for all, one a row, and two whose rows gain alike."""
    assert tag_means(np.repeat(np.arange(25.0), 2), tags) == {}


def test_by_hand() -> None:
    """Two tags of two rows and two without: the variance between them over that and the noise of their means."""
    gain, tags = np.array([1.0, 0.8, 0.0, 0.2, 0.5, 0.5]), ["a", "a", "b", "b", "", ""]
    # Within: 0.04 over 3 degrees of freedom. Between: (2 x 0.16 + 2 x 0.16) / 2, less that, over 2 rows a tag.
    within = 0.04 / 3
    between = (0.32 - within) / 2
    kept = between / (between + within / 2)
    assert tag_means(gain, tags) == pytest.approx({"a": 0.4 * kept, "b": -0.4 * kept})


def test_two_tags_of_unlike_size_by_hand() -> None:
    """Two are enough; the one of more rows is drawn less."""
    gain, tags = np.array([1.0, 0.9, 0.8, 1.1, 0.0, 0.3]), ["a"] * 4 + ["b"] * 2
    within = (0.05 + 0.045) / 4
    between = ((4 * (0.95 - 4.1 / 6) ** 2 + 2 * (0.15 - 4.1 / 6) ** 2) - within) / (6 - 20 / 6)
    actual = tag_means(gain, tags)
    assert actual["a"] == pytest.approx((0.95 - 4.1 / 6) * between / (between + within / 4))
    assert actual["b"] == pytest.approx((0.15 - 4.1 / 6) * between / (between + within / 2))
