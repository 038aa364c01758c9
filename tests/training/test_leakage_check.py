"""Whether logs were trained on is told of any logs, by a sample of bounded size."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.ports.scoring import Query
from turnout.training.leakage_check import KEPT, sample_of, share_known


def _queries(start: int, end: int) -> list[Query]:
    return [Query.from_text(f"question {number}") for number in range(start, end)]


def test_of_few_texts_the_share_is_exact() -> None:
    """Whatever their order, their tags and how often each stands there."""
    sample = sample_of(_queries(0, 100) + _queries(0, 50))
    assert len(sample) == 100
    assert share_known([Query.from_text("question 7", tag="other")], sample) == 1.0
    assert share_known(_queries(75, 115), sample) == 25 / 40
    assert share_known(_queries(100, 200), sample) == 0.0


@pytest.mark.parametrize("known", [0.0, 0.2, 1.0])
def test_of_many_it_is_told_from_a_sample(known: float) -> None:
    """20,000 texts in 8 KiB; of 10,000 asked a twentieth would be in the sample."""
    sample = sample_of(_queries(0, 20_000))
    assert sample.nbytes == 8 * KEPT
    start = int(20_000 - 10_000 * known)
    assert share_known(_queries(start, start + 10_000), sample) == pytest.approx(known, abs=0.06)


def test_nothing_is_told_where_nothing_can_be() -> None:
    """No sample, or no text that could be in it."""
    assert share_known(_queries(0, 10), np.empty(0, np.uint64)) is None
    assert share_known([], sample_of(_queries(0, 10))) is None
