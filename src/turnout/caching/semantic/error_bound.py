"""The error bound: at most `max_error` of the semantic hits would have been answered differently. Pure.

Each would-be hit that a model answered too is a check. A level, the least probability that the verifier must give, is
open while the checks at or above it are evidence enough that their error rate is below `max_error`. The evidence is
a mixture of likelihood ratios, a supermartingale under every rate from `max_error` on (Ville's inequality): it may be
looked at after each check, and a level whose rate is too high opens at some time with a chance of at most RISK / 3.

Where workers share the checks there is one such sequence, that of the sums of all. A level opens by these sums alone:
each worker's own view of them, with what it has checked since, would be a sequence of its own, and the one of many that
runs ahead by chance would open. What a worker has checked since can only close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# A level from the highest on; what was learnt to say the same counts at the last.
LEVELS = (0.9, 0.75, 0.5)
# The chance that any level ever opens whose rate is above `max_error`: one replay in fifty.
RISK = 0.02
# The rates that the evidence bets on, as shares of the one to be ruled out, and how much on each.
_BETS = ((0.0, 0.5), (0.125, 0.2), (0.25, 0.15), (0.5, 0.15))


def evidence(checks: int, wrong: int, rate: float) -> float:
    """The evidence against an error rate of `rate` or more, by so many checks; 1 without any."""
    total = 0.0
    for share, weight in _BETS:
        bet = share * rate
        if bet == 0.0 and wrong:
            continue
        log = (wrong * math.log(share) if wrong else 0.0) + (checks - wrong) * math.log((1 - bet) / (1 - rate))
        total += weight * math.exp(min(700.0, log))
    return total


def upper_bound(checks: int, wrong: int, risk: float = RISK / len(LEVELS)) -> float:
    """The error rate that the checks rule out, with every higher one; 1 where they rule out none."""
    low, high = wrong / checks if checks else 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if middle < 1.0 and evidence(checks, wrong, middle) >= 1 / risk:
            high = middle
        else:
            low = middle
    return high


class ErrorBound:
    """Which would-be hits may be served, by the checks so far. shared: it opens by what `replace` was given alone."""

    def __init__(self, max_error: float, *, shared: bool = False) -> None:
        self.max_error = max_error
        self._shared = shared
        self._checks = [0] * len(LEVELS)
        self._wrong = [0] * len(LEVELS)
        # Of each level its checks, then the wrong ones: those that `take` has not given yet.
        self._untaken = [0] * (2 * len(LEVELS))
        # Likewise: those that are in no sums yet, taken or not.
        self._own = [0] * (2 * len(LEVELS))
        self._open = [max_error >= 1.0] * len(LEVELS)

    def allows(self, probability: float) -> bool:
        """Whether a would-be hit of this probability, by the verifier, may be served."""
        return any(is_open and probability >= level for is_open, level in zip(self._open, LEVELS, strict=True))

    def record(self, probability: float, *, agrees: bool) -> None:
        """Counts one check: whether the model's own answer agrees with the one that would have been served."""
        for place, level in enumerate(LEVELS):
            if probability >= level:
                self._checks[place] += 1
                self._wrong[place] += not agrees
                for counts in (self._untaken, self._own):
                    counts[place] += 1
                    counts[len(LEVELS) + place] += not agrees
                self._open[place] = self._is_kept(place)

    def take(self) -> Sequence[int]:
        """What was counted since the last time: of each level its checks, then of each the wrong ones."""
        taken, self._untaken = self._untaken, [0] * (2 * len(LEVELS))
        return taken

    def replace(self, sums: Sequence[int]) -> None:
        """Counts these in the place of all that `take` has given. sums: as `take` gives them."""
        self._own = [*self._untaken]
        counts = [count + since for count, since in zip(sums, self._own, strict=True)]
        self._checks, self._wrong = counts[: len(LEVELS)], counts[len(LEVELS) :]
        self._open = [self._is_kept(place) for place in range(len(LEVELS))]

    def forget(self) -> None:
        """Begins anew."""
        self.take()
        self.replace([0] * (2 * len(LEVELS)))

    def _is_kept(self, place: int) -> bool:
        if not 0 < self.max_error < 1:
            return self.max_error >= 1
        checks, wrong = self._checks[place], self._wrong[place]
        if self._shared:
            checks -= self._own[place] - self._own[len(LEVELS) + place]
        return evidence(checks, wrong, self.max_error) >= len(LEVELS) / RISK

    @property
    def checks(self) -> int:
        return self._checks[-1]

    @property
    def wrong(self) -> int:
        return self._wrong[-1]

    @property
    def level(self) -> float | None:
        """The lowest open level; None where no would-be hit may be served yet."""
        return min((level for is_open, level in zip(self._open, LEVELS, strict=True) if is_open), default=None)

    @property
    def estimate(self) -> float | None:
        """The error rate among the checks at or above the open level, or of all where none is open; None of none."""
        checks, wrong = self._counts()
        return wrong / checks if checks else None

    @property
    def bound(self) -> float:
        """What that error rate is below, but for a chance of RISK."""
        return upper_bound(*self._counts())

    def _counts(self) -> tuple[int, int]:
        place = len(LEVELS) - 1 if self.level is None else LEVELS.index(self.level)
        return self._checks[place], self._wrong[place]
