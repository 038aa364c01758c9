"""The header of a scorer file, checked: what its JSON may hold, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """slope, intercept of the calibration: expected gain = slope x raw gain + intercept. keep_quality: rows of
    (quality kept, threshold), ascending, never none. tags: those with a mean; known_tags: those of the logs."""

    intercept: float
    mean_gain: float
    gain_slope: float
    gain_intercept: float
    tag_share: float
    trees: int
    tree_depth: int
    served: Sequence[str]
    tags: Sequence[str]
    known_tags: frozenset[str]
    keep_quality: Sequence[tuple[float, float]]
    novelty: Mapping[str, Any]
    summary: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Header:
        """Raises KeyError where something is missing, ValueError where it is not what it should be."""
        if not -1.0 <= _number(told, "mean_gain") <= 1.0:
            raise ValueError("mean_gain is outside [-1, 1]")
        return cls(
            intercept=_number(told, "intercept"),
            mean_gain=_number(told, "mean_gain"),
            gain_slope=_slope(told),
            gain_intercept=_number(told, "gain_intercept"),
            tag_share=_number(told, "tag_share"),
            trees=_count(told, "trees"),
            tree_depth=_count(told, "tree_depth"),
            served=_distinct(told, "served"),
            tags=_distinct(told, "tags"),
            known_tags=frozenset(_texts(told, "known_tags")),
            keep_quality=_kept(told),
            novelty=_mapping(told["novelty"], "novelty"),
            # What it tells of its training is for reading only: a file may do without.
            summary=_mapping(told.get("summary", {}), "summary"),
        )


def _number(told: Mapping[str, Any], name: str) -> float:
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is no number")
    return float(value)


def _count(told: Mapping[str, Any], name: str) -> int:
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is no whole number")
    if value < 0:
        raise ValueError(f"{name} is below 0")
    return value


def _slope(told: Mapping[str, Any]) -> float:
    # A falling one would tell the smallest gains of the highest scores.
    slope = _number(told, "gain_slope")
    if slope < 0:
        raise ValueError("gain_slope is below 0")
    return slope


def _texts(told: Mapping[str, Any], name: str) -> Sequence[str]:
    value = told[name]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} is no list of texts")
    return tuple(value)


def _distinct(told: Mapping[str, Any], name: str) -> Sequence[str]:
    texts = _texts(told, name)
    if len(set(texts)) < len(texts):
        raise ValueError(f"{name} holds a name twice")
    return texts


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    return value


def _kept(told: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    table = told["keep_quality"]
    if not isinstance(table, list) or not table or not all(isinstance(row, list) and len(row) == 2 for row in table):
        raise ValueError("keep_quality is no table of qualities and thresholds")
    rows = [(_number({"quality": q}, "quality"), _number({"threshold": t}, "threshold")) for q, t in table]
    if not all(0.0 <= share <= 1.0 for row in rows for share in row):
        raise ValueError("keep_quality holds a share outside [0, 1]")
    if any(low[0] >= high[0] for low, high in pairwise(rows)):
        raise ValueError("the qualities of keep_quality do not ascend")
    return rows
