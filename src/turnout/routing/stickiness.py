"""Whether a conversation stays with its model: what leaving costs held against what it is worth. Pure.

A provider keeps a conversation's prompt cached for minutes and reads it at a fraction of its price. Leaving for another
model pays that model's full price for the whole prompt once, and then its price on every turn that follows.

    worth of a turn on the expensive tier = price difference of a mean request x score / threshold

At the threshold a turn is worth just the price difference of a mean request: that exchange rate is what the routing
target reveals. Upwards is left where this turn's worth and that of the turns still expected are more than the cold
prompt and the dearer turns cost. Downwards is left only once the cache is cold, where it costs nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from turnout.pricing import MILLION, Price
from turnout.records import Tier

# A conversation of n turns so far is expected to have as many again (Lindy's rule, which knows no scale), up to these.
MOST_TURNS_LEFT = 20
# A score is a rank; below this threshold its exchange rate would say that a turn is worth more than anything.
LEAST_THRESHOLD = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Where a conversation is, written at the end of each turn.

    turns: had so far. score: the mean of their scores. output: the tokens of the last answer. warm: of each model that
    was asked, how many tokens of prompt it has cached at most, and how long before the writing, in seconds.
    """

    tier: Tier
    model: str
    turns: int
    score: float
    output: int
    warm: Mapping[str, tuple[int, float]]

    def pack(self) -> bytes:
        """The pin as bytes."""
        warm = [[model, tokens, round(age, 1)] for model, (tokens, age) in self.warm.items()]
        fields = [1, self.tier, self.model, self.turns, round(self.score, 4), self.output, warm]
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, packed: bytes, age_s: float) -> Pin | None:
        """The pin out of its bytes, as old as it is now; None where they are not of this version."""
        try:
            version, tier, model, turns, score, output, warm = json.loads(packed)
            ages = {str(name): (int(tokens), float(age) + age_s) for name, tokens, age in warm}
            good = version == 1 and tier in ("cheap", "expensive")
        except (ValueError, TypeError):
            return None
        return (
            cls(tier=cast(Tier, tier), model=model, turns=turns, score=score, output=output, warm=ages)
            if good
            else None
        )

    def cached(self, model: str, life_s: float, least: int) -> int:
        """The prompt tokens that this model still has cached: none where it was last asked longer ago than a cache
        lives, or where they are fewer than a provider keeps."""
        tokens, age = self.warm.get(model, (0, math.inf))
        return tokens if age <= life_s and tokens >= least else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRates:
    """A model's prices in USD per token. new: of a prompt token that is not cached, the cost of writing it included."""

    new: float
    cached: float
    output: float

    @classmethod
    def of(cls, price: Price) -> TokenRates:
        new = max(price.input, price.written or price.input)
        cached = price.input if price.cached is None else price.cached
        return cls(new=float(new / MILLION), cached=float(cached / MILLION), output=float(price.output / MILLION))

    def turn(self, shape: TurnShape, cached: int) -> float:
        """What a turn costs where so many of its prompt tokens are cached, in USD."""
        read = min(cached, shape.prompt)
        return read * self.cached + (shape.prompt - read) * self.new + shape.output * self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnShape:
    """Tokens of one turn. fresh: of the prompt, those that were not in the turn before."""

    prompt: int
    fresh: int
    output: int

    @property
    def kept(self) -> int:
        return max(0, self.prompt - self.fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What going up was estimated to cost more than staying, in USD, and what it was estimated to be worth."""

    cost: float
    worth: float


def worth(score: float, threshold: float, difference: float) -> float:
    """What a turn of this score is worth on the expensive tier, in USD. difference: of a mean request's prices."""
    return difference * score / max(LEAST_THRESHOLD, min(1.0, threshold))


def going_up(pin: Pin, cheap: TokenRates, expensive: TokenRates, shape: TurnShape, warm: int, value: Value) -> Estimate:
    """The estimate for a conversation on the cheap tier. warm: prompt tokens that the expensive model has cached."""
    left = min(max(1, pin.turns), MOST_TURNS_LEFT)
    cold = max(0, shape.kept - warm) * (expensive.new - expensive.cached)
    dearer = max(0.0, expensive.turn(shape, shape.kept) - cheap.turn(shape, shape.kept))
    turns = worth(value.score, value.threshold, value.difference)
    later = worth(pin.score, value.threshold, value.difference)
    return Estimate(cost=cold + (1 + left) * dearer, worth=turns + left * later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a turn's worth is reckoned from: its score, the threshold, and the price difference of a mean request."""

    score: float
    threshold: float
    difference: float


def going_down(pin: Pin, cheap: TokenRates, expensive: TokenRates, shape: TurnShape, warm: int) -> Estimate:
    """The estimate for a conversation on the expensive tier; its worth is what the cheaper turns save. warm: prompt
    tokens that the cheap model has cached."""
    left = min(max(1, pin.turns), MOST_TURNS_LEFT)
    cold = max(0, shape.kept - warm) * (cheap.new - cheap.cached)
    saved = max(0.0, expensive.turn(shape, shape.kept) - cheap.turn(shape, shape.kept))
    return Estimate(cost=cold, worth=(1 + left) * saved)


class MeanRequest:
    """The mean usage of the last requests, a moving one: what the threshold's exchange rate is reckoned from."""

    # About the last hundred requests.
    WEIGHT = 0.01

    def __init__(self) -> None:
        self._counts: tuple[float, float, float] | None = None

    def add(self, prompt: int, cached: int, output: int) -> None:
        """Takes one request's usage into account."""
        counts = (float(prompt), float(cached), float(output))
        before = self._counts
        if before is None:
            self._counts = counts
        else:
            moved = (old + self.WEIGHT * (new - old) for old, new in zip(before, counts, strict=True))
            self._counts = cast(Any, tuple(moved))

    def difference(self, cheap: TokenRates, expensive: TokenRates, shape: TurnShape) -> float:
        """What a mean request costs more on the expensive tier, in USD; before there was any, what this one does."""
        prompt, cached, output = self._counts or (shape.prompt, shape.kept, shape.output)

        def cost(rates: TokenRates) -> float:
            return cached * rates.cached + (prompt - cached) * rates.new + output * rates.output

        return max(0.0, cost(expensive) - cost(cheap))
