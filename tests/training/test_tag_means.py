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
    told, which = tag_means(gain, tags), np.array(tags)
    raw = {tag: float(gain[which == tag].mean() - gain.mean()) for tag in sizes}
    kept = {tag: told[tag] / raw[tag] for tag in sizes}
    assert kept["few"] < kept["many"] - 0.1
    assert 0.9 < kept["many"] < 1.0


@pytest.mark.parametrize("tags", [["a"] * 50, [str(at) for at in range(50)], ["a", "b"] * 25])
def test_tags_that_tell_nothing_are_left_out(tags: list[str]) -> None:
    """One for all, one a row, and two whose rows gain alike."""
    assert tag_means(np.repeat(np.arange(25.0), 2), tags) == {}
