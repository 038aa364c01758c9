"""What the traffic tells of a conversation's next turns."""

from __future__ import annotations

from decimal import Decimal

import pytest

from turnout.pricing import Price
from turnout.routing.outlook import MOST_TURNS_LEFT, MeanRequest, TurnCounts
from turnout.routing.stickiness import TokenRates, TurnShape

CHEAP = TokenRates.of(Price(input=Decimal(1), output=Decimal(4), cached=Decimal("0.1")))
DEAR = TokenRates.of(Price(input=Decimal(10), output=Decimal(40), cached=Decimal(1)))
SHAPE = TurnShape(prompt=1_500, fresh=200, output=300)


def test_before_any_traffic_as_many_turns_are_expected_as_there_were() -> None:
    """About: fewer, for a break may come."""
    counts = TurnCounts()
    assert counts.left(1) < counts.left(5) < counts.left(20)
    assert 1.0 < counts.left(5) < 6.0
    assert 0.0 < counts.left(10_000) <= MOST_TURNS_LEFT


def test_conversations_of_three_turns_are_expected_to_end_after_three() -> None:
    """Learnt from those before."""
    counts = TurnCounts()
    for _ in range(3_000):
        for number in range(3):
            counts.add(number, warm=None if number == 0 else True)
    assert counts.left(0) == pytest.approx(2.0, abs=0.1)
    assert counts.left(2) < 0.1


def test_turns_after_breaks_find_nothing_cached() -> None:
    """Where each comes after a break, none is counted on."""
    counts = TurnCounts()
    for _ in range(6_000):
        counts.add(1, warm=False)
    assert counts.warmth < 0.05
    assert counts.left(1) < 0.2


def test_the_mean_request_moves_slowly() -> None:
    """Before there was any, this one stands for it; the gain is that of scored requests alone."""
    mean = MeanRequest()
    first = mean.difference(CHEAP, DEAR, SHAPE)
    mean.add(1_500, 1_300, 300, 0.2)
    assert mean.difference(CHEAP, DEAR, TurnShape(prompt=60_000, fresh=0, output=1)) == pytest.approx(first)
    mean.add(60_000, 0, 300, None)
    assert first < mean.difference(CHEAP, DEAR, SHAPE) < 20 * first
    assert mean.gain == 0.2
