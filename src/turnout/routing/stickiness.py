"""Whether a conversation stays with its model: what leaving costs held against what it is worth. Pure.

A provider keeps a conversation's prompt cached for minutes and reads it at a fraction of its price. Leaving for another
model pays that model's full price for the whole prompt, and then its price on every turn that follows. Two plans are
held against each other, this turn here and this turn there, each followed by the turns that are still expected on
whichever tier is the better for them:

    net worth of a plan = what its expensive turns gain, in USD - what its turns cost - the cold prompts that it pays

A gain is priced by the routing target: at the threshold a turn gains just the price difference of a mean request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from turnout.pricing import MILLION, Price
from turnout.records import Tier

# A mean over so many turns more, of the mean gain: one hard turn does not make a hard conversation.
PRIOR_TURNS = 2
# The part of the gains' spread below which the threshold's own gain is no measure: near 0 any gain would be worth more
# than anything.
LEAST_SCALE = 0.25
# A score is a rank; below this threshold the same holds.
LEAST_THRESHOLD = 0.02
_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Where a conversation is, written at the end of each turn.

    turns: had so far. gain: the mean of what they were expected to gain, in the scorer's unit. output: the mean
    tokens of their answers. warm: of each model that was asked, how many tokens of prompt it has cached at most, and
    how long before the writing, in seconds.
    """

    tier: Tier
    model: str
    turns: int
    gain: float
    output: int
    warm: Mapping[str, tuple[int, float]]

    def pack(self) -> bytes:
        """The pin as bytes."""
        warm = [[model, tokens, round(age, 1)] for model, (tokens, age) in self.warm.items()]
        fields = [_VERSION, self.tier, self.model, self.turns, round(self.gain, 4), self.output, warm]
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, packed: bytes, age_s: float) -> Pin | None:
        """The pin out of its bytes, as old as it is now; None where they are not of this version."""
        try:
            version, tier, model, turns, gain, output, warm = json.loads(packed)
            ages = {str(name): (int(tokens), float(age) + age_s) for name, tokens, age in warm}
            good = version == _VERSION and tier in ("cheap", "expensive")
        except (ValueError, TypeError):
            return None
        return (
            cls(tier=cast(Tier, tier), model=model, turns=turns, gain=gain, output=output, warm=ages) if good else None
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
class Exchange:
    """What a gain is worth in USD. at: the gain that is worth just `difference`, the price difference of a mean
    request; scale: how much more gain is worth as much again."""

    at: float
    scale: float
    difference: float

    @classmethod
    def of_scores(cls, threshold: float, difference: float) -> Exchange:
        """Where the scorer knows no gain, its scores stand for them."""
        at = min(1.0, threshold)
        return cls(at=at, scale=max(LEAST_THRESHOLD, at), difference=difference)

    @classmethod
    def of_gains(cls, threshold_gain: float, spread: float, difference: float) -> Exchange:
        """spread: between a high and a low gain of the scorer's logs."""
        return cls(at=threshold_gain, scale=max(threshold_gain, LEAST_SCALE * spread, 1e-6), difference=difference)

    def worth(self, gain: float) -> float:
        """In USD."""
        return self.difference * max(0.0, 1.0 + (gain - self.at) / self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A tier's model: its rates, and the prompt tokens that it has cached."""

    rates: TokenRates
    warm: int

    def cold(self, shape: TurnShape, warm: int | None = None) -> float:
        """What the prompt costs here beyond a cached one, in USD."""
        missing = max(0, shape.prompt - (self.warm if warm is None else warm))
        return missing * (self.rates.new - self.rates.cached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be expected. now, later: what this turn, and each later one, is worth on the expensive tier, in USD.
    turns: later ones that find the caches warm. warmth: the chance that the next one does."""

    now: float
    later: float
    turns: float
    warmth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What leaving was estimated to cost and to be worth, in USD: it pays where the worth is more."""

    cost: float
    worth: float


def going_up(cheap: Side, expensive: Side, shape: TurnShape, outlook: Outlook) -> Estimate:
    """The estimate for a conversation on the cheap tier: what it costs more, and what is gained."""
    stay, leave = _plans(cheap, expensive, shape, outlook)
    return Estimate(cost=leave.usd - stay.usd, worth=leave.gained - stay.gained)


def going_down(cheap: Side, expensive: Side, shape: TurnShape, outlook: Outlook) -> Estimate:
    """The estimate for a conversation on the expensive tier: the gains that are given up and the cold prompt, held
    against what is saved."""
    leave, stay = _plans(cheap, expensive, shape, outlook)
    cost = max(0.0, stay.gained - leave.gained) + cheap.cold(shape)
    return Estimate(cost=cost, worth=cost + leave.net - stay.net)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What its turns cost and gain, in USD."""

    usd: float
    gained: float

    @property
    def net(self) -> float:
        return self.gained - self.usd


def _plans(cheap: Side, expensive: Side, shape: TurnShape, outlook: Outlook) -> tuple[_Plan, _Plan]:
    """This turn on the cheap and on the expensive model, the later ones on the better of both for each."""
    dearer = expensive.rates.turn(shape, shape.kept) - cheap.rates.turn(shape, shape.kept)
    on_expensive = _Plan(outlook.turns * dearer, outlook.turns * outlook.later)

    def plan(this: Side, gained: float, cold_cheap: float, cold_expensive: float) -> _Plan:
        usd = this.rates.turn(shape, this.warm)
        back = _Plan(usd + outlook.warmth * cold_cheap, gained)
        up = _Plan(usd + outlook.warmth * cold_expensive + on_expensive.usd, gained + on_expensive.gained)
        return max(back, up, key=lambda one: one.net)

    # Whoever is asked now has the prompt cached for the next turn.
    return (
        plan(cheap, 0.0, 0.0, expensive.cold(shape)),
        plan(expensive, outlook.now, cheap.cold(shape), 0.0),
    )


def mean_output(pin: Pin, prior: float) -> int:
    """How many tokens a conversation's next answer is expected to have. prior: the mean of all conversations."""
    return round((PRIOR_TURNS * prior + pin.turns * pin.output) / (PRIOR_TURNS + pin.turns))


def mean_gain(pin: Pin, gain: float, prior: float) -> float:
    """What a conversation's turns are expected to gain, this one's included. prior: the mean of all conversations."""
    return (PRIOR_TURNS * prior + pin.turns * pin.gain + gain) / (PRIOR_TURNS + pin.turns + 1)
