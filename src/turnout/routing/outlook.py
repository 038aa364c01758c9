"""What the traffic so far tells of a conversation's next turns: how many, how soon, how large, how hard. No clock."""

from __future__ import annotations

from itertools import accumulate

from turnout.routing.stickiness import TokenRates, TurnShape

# Of a turn beyond these is known what is known of the last of them.
MOST_TURNS = 64
# At most so many turns are expected to come.
MOST_TURNS_LEFT = 40.0
# What is believed before there was any traffic, in turns that it weighs as much as: a conversation of n turns has about
# as many again (Lindy's rule, which knows no scale).
PRIOR = 20.0
# About the last two thousand turns count.
FADING = 0.9995


class TurnCounts:
    """How often a turn was the first, the second, ... of its conversation, and how often it found its cache warm."""

    def __init__(self) -> None:
        self._counts = [PRIOR / (number + 1) ** 2 for number in range(MOST_TURNS)]
        # Turns fade by the weight of new ones growing.
        self._weight = 1.0
        self._warm, self._continued = 8.0, 10.0

    @property
    def warmth(self) -> float:
        """The chance that a turn that continues a conversation finds it cached."""
        return self._warm / self._continued

    def add(self, number: int, *, warm: bool | None) -> None:
        """Takes one turn into account. number: turns before it. warm: None for a first turn."""
        self._weight /= FADING
        self._counts[min(number, MOST_TURNS - 1)] += self._weight
        if self._weight > 1e9:
            self._counts = [count / self._weight for count in self._counts]
            self._weight = 1.0
        if warm is not None:
            self._warm = FADING * self._warm + warm
            self._continued = FADING * self._continued + 1.0

    def left(self, number: int) -> float:
        """How many turns are expected after the one with so many before it, as long as each finds the cache warm."""
        at = min(number, MOST_TURNS - 2)
        later = self._counts[at + 1 :]
        chances = accumulate(later[1:], lambda chance, _: chance * self.warmth, initial=self.warmth)
        expected = sum(count * chance for count, chance in zip(later, chances, strict=True))
        return min(MOST_TURNS_LEFT, expected / self._counts[at])


class MeanRequest:
    """The mean usage and gain of the last requests, moving ones: what the exchange rate is reckoned from."""

    # About the last hundred requests.
    WEIGHT = 0.01

    def __init__(self) -> None:
        self._counts: tuple[float, float, float] | None = None
        self.gain: float | None = None

    def add(self, prompt: int, cached: int, output: int, gain: float | None) -> None:
        """Takes one request's usage into account, and what it was expected to gain, None where it was not scored."""
        if self._counts is None:
            self._counts = (float(prompt), float(cached), float(output))
        else:
            a, b, c = self._counts
            self._counts = (self._moved(a, prompt), self._moved(b, cached), self._moved(c, output))
        if gain is not None:
            self.gain = gain if self.gain is None else self._moved(self.gain, gain)

    @property
    def output(self) -> float | None:
        """Tokens of an answer; None before there was any."""
        return None if self._counts is None else self._counts[2]

    def _moved(self, old: float, new: float) -> float:
        return old + self.WEIGHT * (new - old)

    def difference(self, cheap: TokenRates, expensive: TokenRates, shape: TurnShape) -> float:
        """What a mean request costs more on the expensive tier, in USD; before there was any, what this one does."""
        prompt, cached, output = self._counts or (shape.prompt, shape.kept, shape.output)

        def cost(rates: TokenRates) -> float:
            return cached * rates.cached + (prompt - cached) * rates.new + output * rates.output

        return max(0.0, cost(expensive) - cost(cheap))
