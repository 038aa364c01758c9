"""The verifier: how likely two questions have one answer. Plain numbers, which `turnout train-cache` trains."""

from __future__ import annotations

import itertools
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path
from typing import Any

from turnout.caching.semantic.pair_features import FEATURES
from turnout.errors import ArtifactError

FORMAT = "turnout-verifier"
SCHEMA = 1
MOST_BYTES = 1 << 20
SHIPPED = Path(__file__).with_name("verifier.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerifier:
    """A logistic regression, calibrated. weights: one a feature. knots, levels: raw scores, ascending, and the
    probability at each; in between it is interpolated. summary: what it was trained on."""

    weights: Sequence[float]
    intercept: float
    knots: Sequence[float]
    levels: Sequence[float]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, features: Sequence[float]) -> float:
        """That a pair of these features has one answer, in [0, 1]."""
        raw: float = self.intercept + sum(map(mul, self.weights, features))
        place = bisect_right(self.knots, raw)
        if place == 0 or place == len(self.knots):
            return self.levels[max(0, place - 1)]
        low, high = self.knots[place - 1], self.knots[place]
        share = (raw - low) / (high - low)
        return self.levels[place - 1] + share * (self.levels[place] - self.levels[place - 1])

    def dumps(self) -> str:
        """The file that `load_verifier` reads."""
        fields = {"weights": dict(zip(FEATURES, self.weights, strict=True)), "intercept": self.intercept}
        table = {"knots": list(self.knots), "levels": list(self.levels), "summary": dict(self.summary)}
        return json.dumps({"format": FORMAT, "schema": SCHEMA, **fields, **table}, indent=1) + "\n"


def load_verifier(path: Path | str) -> PairVerifier:
    """Reads a file of `turnout train-cache`. Raises ArtifactError, which says what is wrong and what to do."""
    try:
        with Path(path).open("rb") as file:
            fields: Any = json.loads(file.read(MOST_BYTES))
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror or error}); write one with `turnout train-cache`"
        ) from None
    except (ValueError, RecursionError):
        raise ArtifactError(
            f"{path}: not a verifier file; write one with `turnout train-cache PAIRS -o FILE`"
        ) from None
    try:
        if fields["format"] != FORMAT:
            raise ValueError
        if fields["schema"] != SCHEMA or set(fields["weights"]) != set(FEATURES):
            raise ArtifactError(
                f"{path}: written by another version of Turnout; train it again with `turnout train-cache`"
            )
        verifier = PairVerifier(
            weights=tuple(_number(fields["weights"][name]) for name in FEATURES),
            intercept=_number(fields["intercept"]),
            knots=tuple(map(_number, fields["knots"])),
            levels=tuple(map(_number, fields["levels"])),
            summary=dict(fields["summary"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{path}: a damaged verifier file; train it again with `turnout train-cache`") from None
    if not _is_sound(verifier):
        raise ArtifactError(f"{path}: a damaged verifier file; train it again with `turnout train-cache`")
    return verifier


def is_ours(path: Path) -> bool:
    """Whether the file is a verifier file by its looks: what may be written over by another."""
    try:
        with path.open("rb") as file:
            return FORMAT.encode() in file.read(100)
    except OSError:
        return False


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _is_sound(verifier: PairVerifier) -> bool:
    knots, levels = verifier.knots, verifier.levels
    ascending = all(low < high for low, high in itertools.pairwise(knots))
    rising = all(low <= high for low, high in itertools.pairwise(levels))
    return len(knots) == len(levels) > 0 and ascending and rising and 0 <= levels[0] <= levels[-1] <= 1
