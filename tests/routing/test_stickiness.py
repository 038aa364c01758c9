"""Leaving a conversation's model, weighed in USD."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from turnout.pricing import Price
from turnout.routing.stickiness import MeanRequest, Pin, TokenRates, TurnShape, Value, going_down, going_up, worth

CHEAP = TokenRates.of(Price(input=Decimal(1), output=Decimal(4), cached=Decimal("0.1")))
DEAR = TokenRates.of(Price(input=Decimal(10), output=Decimal(40), cached=Decimal(1)))
SHORT, LONG = (TurnShape(prompt=size, fresh=200, output=300) for size in (1_500, 60_000))
PIN = Pin(tier="cheap", model="c", turns=2, score=0.2, output=300, warm={"c": (1_300, 10.0), "d": (900, 400.0)})


def value(score: float) -> Value:
    """At a threshold of a half, a mean request costs two cents more."""
    return Value(score=score, threshold=0.5, difference=0.02)


def test_a_pin_comes_back_as_old_as_it_is() -> None:
    """And what is no pin is none."""
    back = Pin.unpack(PIN.pack(), 5.0)
    assert back == replace(PIN, warm={"c": (1_300, 15.0), "d": (900, 405.0)})
    for packed in (b"", b"[]", b"{}", b"[2,1,1,1,1,1,1]", b'[1,"best","m",1,1,1,[]]', b"\xff"):
        assert Pin.unpack(packed, 0.0) is None


def test_a_cache_is_cold_after_its_life_and_below_its_least() -> None:
    """A model that was never asked has nothing cached."""
    assert PIN.cached("c", 300.0, 1_024) == 1_300
    assert (PIN.cached("c", 9.0, 1_024), PIN.cached("c", 300.0, 2_048), PIN.cached("x", 300.0, 0)) == (0, 0, 0)


def test_at_the_threshold_a_turn_is_worth_the_mean_difference() -> None:
    """And in proportion to its rank beyond."""
    assert worth(0.5, 0.5, 0.02) == 0.02
    assert worth(1.0, 0.5, 0.02) == pytest.approx(0.04)
    assert worth(0.9, 0.0, 0.02) < 1.0


def test_a_long_context_makes_leaving_dear() -> None:
    """The same hard turn leaves a short conversation's cheap model and stays in a long one."""
    short, long = (going_up(PIN, CHEAP, DEAR, shape, 0, value(0.95)) for shape in (SHORT, LONG))
    assert short.worth > short.cost
    assert long.worth < long.cost
    warm = going_up(PIN, CHEAP, DEAR, LONG, 59_000, value(0.95))
    assert long.cost - warm.cost == pytest.approx(59_000 * 9e-6)


def test_down_costs_the_cold_prompt_and_saves_the_dearer_turns() -> None:
    """In USD."""
    estimate = going_down(PIN, CHEAP, DEAR, LONG, 0)
    assert estimate.cost == pytest.approx(59_800 * 0.9e-6)
    assert estimate.worth == pytest.approx(3 * (59_800 * 0.9e-6 + 200 * 9e-6 + 300 * 36e-6))


def test_the_mean_request_moves_slowly() -> None:
    """Before there was any, this one stands for it."""
    mean = MeanRequest()
    first = mean.difference(CHEAP, DEAR, SHORT)
    mean.add(1_500, 1_300, 300)
    assert mean.difference(CHEAP, DEAR, LONG) == pytest.approx(first)
    mean.add(60_000, 0, 300)
    assert first < mean.difference(CHEAP, DEAR, LONG) < 2 * mean.difference(CHEAP, DEAR, LONG)
