"""Leaving a conversation's model, weighed in USD."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from turnout.pricing import Price
from turnout.routing.stickiness import (
    Exchange,
    Outlook,
    Pin,
    Side,
    TokenRates,
    TurnShape,
    going_down,
    going_up,
    mean_gain,
)

CHEAP = TokenRates.of(Price(input=Decimal(1), output=Decimal(4), cached=Decimal("0.1")))
DEAR = TokenRates.of(Price(input=Decimal(10), output=Decimal(40), cached=Decimal(1)))
SHORT, LONG = (TurnShape(prompt=size, fresh=200, output=300) for size in (1_500, 60_000))
PIN = Pin(tier="cheap", model="c", turns=2, gain=0.2, output=300, warm={"c": (1_300, 10.0), "d": (900, 400.0)})


def outlook(now: float, later: float, turns: float = 3.0) -> Outlook:
    return Outlook(now=now, later=later, turns=turns, warmth=1.0)


def test_a_pin_comes_back_as_old_as_it_is() -> None:
    """And what is no pin, or one of another version, is none."""
    back = Pin.unpack(PIN.pack(), 5.0)
    assert back == replace(PIN, warm={"c": (1_300, 15.0), "d": (900, 405.0)})
    for packed in (b"", b"[]", b"{}", b'[2,"best","m",1,1,1,[]]', b'[1,"cheap","m",1,1,1,[]]', b"\xff"):
        assert Pin.unpack(packed, 0.0) is None


def test_a_cache_is_cold_after_its_life_and_below_its_least() -> None:
    """A model that was never asked has nothing cached."""
    assert PIN.cached("c", 300.0, 1_024) == 1_300
    assert (PIN.cached("c", 9.0, 1_024), PIN.cached("c", 300.0, 2_048), PIN.cached("x", 300.0, 0)) == (0, 0, 0)


def test_at_the_threshold_a_gain_is_worth_the_mean_difference() -> None:
    """In proportion to the gain beyond; a threshold near no gain makes nothing worth more than anything."""
    by_rank = Exchange.of_scores(0.5, 0.02)
    assert [by_rank.worth(score) for score in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 0.02, 0.04])
    assert Exchange.of_scores(0.0, 0.02).worth(0.9) <= 1.0
    by_gain = Exchange.of_gains(0.1, 0.2, 0.02)
    assert [by_gain.worth(gain) for gain in (-0.5, 0.0, 0.1, 0.3)] == pytest.approx([0.0, 0.0, 0.02, 0.06])
    flat = Exchange.of_gains(0.0, 0.2, 0.02)
    assert [flat.worth(gain) for gain in (-0.1, 0.0, 0.05)] == pytest.approx([0.0, 0.02, 0.04])


def test_a_long_context_makes_going_up_dear() -> None:
    """The same hard turn leaves a short conversation's cheap model and stays in a long one, unless it is warm there."""
    view = outlook(0.05, 0.0)
    short = going_up(Side(rates=CHEAP, warm=1_300), Side(rates=DEAR, warm=0), SHORT, view)
    cold = going_up(Side(rates=CHEAP, warm=59_800), Side(rates=DEAR, warm=0), LONG, view)
    warm = going_up(Side(rates=CHEAP, warm=59_800), Side(rates=DEAR, warm=59_000), LONG, view)
    assert short.worth > short.cost
    assert cold.worth < cold.cost
    assert cold.cost - warm.cost == pytest.approx(59_000 * 9e-6)


def test_the_turns_expected_pay_for_the_cold_prompt() -> None:
    """What one hard turn is not worth, twenty are."""
    sides = (Side(rates=CHEAP, warm=59_800), Side(rates=DEAR, warm=0))
    few, many = (going_up(*sides, LONG, outlook(0.15, 0.15, turns)) for turns in (1.0, 20.0))
    assert few.worth < few.cost
    assert many.worth > many.cost


def test_going_down_costs_the_cold_prompt_and_the_gains_given_up() -> None:
    """An easy turn of an easy conversation leaves; a hard one stays."""
    cheap, dear = Side(rates=CHEAP, warm=0), Side(rates=DEAR, warm=59_800)
    easy = going_down(cheap, dear, LONG, outlook(0.0, 0.0))
    assert easy.cost == pytest.approx(60_000 * 0.9e-6)
    assert easy.worth > easy.cost
    hard = going_down(cheap, dear, LONG, outlook(0.1, 0.2))
    assert hard.worth < hard.cost


def test_one_hard_turn_does_not_make_a_hard_conversation() -> None:
    """Few turns are drawn towards the mean of all; many are not."""
    assert mean_gain(replace(PIN, turns=0, gain=0.0), 0.8, 0.2) == pytest.approx((2 * 0.2 + 0.8) / 3)
    assert mean_gain(replace(PIN, turns=97, gain=0.8), 0.8, 0.2) == pytest.approx(0.788)
