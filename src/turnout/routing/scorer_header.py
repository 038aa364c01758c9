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
    # Of the verifier of cheap answers; None in a file without one.
    cascade: CascadeHeader | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Header:
        """Raises KeyError where something is missing, ValueError where it is not what it should be."""
        if not -1.0 <= _number(fields, "mean_gain") <= 1.0:
            raise ValueError("mean_gain is outside [-1, 1]")
        return cls(
            intercept=_number(fields, "intercept"),
            mean_gain=_number(fields, "mean_gain"),
            gain_slope=_slope(fields),
            gain_intercept=_number(fields, "gain_intercept"),
            tag_share=_number(fields, "tag_share"),
            trees=_count(fields, "trees"),
            tree_depth=_count(fields, "tree_depth"),
            served=_distinct(fields, "served"),
            tags=_distinct(fields, "tags"),
            known_tags=frozenset(_texts(fields, "known_tags")),
            keep_quality=_kept(fields),
            novelty=_mapping(fields["novelty"], "novelty"),
            # What it tells of its training is for reading only: a file may do without.
            summary=_mapping(fields.get("summary", {}), "summary"),
            cascade=CascadeHeader.of(fields["cascade"]) if fields.get("cascade") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeHeader:
    """The verifier's part. refused: why it may not be switched on; "": it may. cheap_model: whose answers it was
    trained on; "": not told. price_ratio: an expensive call's price, a cheap one's being 1. question_share: of the
    question's expected gain. keep_quality: rows of (quality kept, threshold of the verifier's score), ascending."""

    signs: int
    refused: str
    cheap_model: str
    price_ratio: float
    intercept: float
    question_share: float
    gain_slope: float
    gain_intercept: float
    trees: int
    tree_depth: int
    keep_quality: Sequence[tuple[float, float]]
    summary: Mapping[str, Any]
    # Of a second cheap answer; None in a file that was trained without them.
    second: SecondHeader | None = None

    @classmethod
    def of(cls, given: Any) -> CascadeHeader:
        """Raises KeyError where something is missing, ValueError where it is not what it should be."""
        fields = _mapping(given, "cascade")
        ratio = _number(fields, "price_ratio")
        if ratio < 1.0:
            raise ValueError("price_ratio is below 1")
        return cls(
            signs=_count(fields, "signs"),
            refused=_text(fields, "refused"),
            cheap_model=_text(fields, "cheap_model"),
            price_ratio=ratio,
            intercept=_number(fields, "intercept"),
            question_share=_number(fields, "question_share"),
            gain_slope=_slope(fields),
            gain_intercept=_number(fields, "gain_intercept"),
            trees=_count(fields, "trees"),
            tree_depth=_count(fields, "tree_depth"),
            keep_quality=_kept(fields),
            summary=_mapping(fields.get("summary", {}), "summary"),
            second=SecondHeader.of(fields["second"]) if fields.get("second") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondHeader:
    """Weights of the first answer's expected gain, and of its agreement with a second one."""

    intercept: float
    slope: float
    agreement: float

    @classmethod
    def of(cls, given: Any) -> SecondHeader:
        """Raises KeyError where something is missing, ValueError where it is not what it should be."""
        fields = _mapping(given, "second")
        return cls(**{name: _number(fields, name) for name in ("intercept", "slope", "agreement")})

    def gain(self, first: float, *, agrees: bool) -> float:
        """The expected gain. first: of the first answer alone."""
        return self.intercept + self.slope * first + (self.agreement if agrees else 0.0)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is no number")
    return float(value)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is no whole number")
    if value < 0:
        raise ValueError(f"{name} is below 0")
    return value


def _slope(fields: Mapping[str, Any]) -> float:
    # A falling one would tell the smallest gains of the highest scores.
    slope = _number(fields, "gain_slope")
    if slope < 0:
        raise ValueError("gain_slope is below 0")
    return slope


def _texts(fields: Mapping[str, Any], name: str) -> Sequence[str]:
    value = fields[name]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} is no list of texts")
    return tuple(value)


def _distinct(fields: Mapping[str, Any], name: str) -> Sequence[str]:
    texts = _texts(fields, name)
    if len(set(texts)) < len(texts):
        raise ValueError(f"{name} holds a name twice")
    return texts


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    return value


def _kept(fields: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    table = fields["keep_quality"]
    if not isinstance(table, list) or not table or not all(isinstance(row, list) and len(row) == 2 for row in table):
        raise ValueError("keep_quality is no table of qualities and thresholds")
    rows = [(_number({"quality": q}, "quality"), _number({"threshold": t}, "threshold")) for q, t in table]
    if not all(0.0 <= share <= 1.0 for row in rows for share in row):
        raise ValueError("keep_quality holds a share outside [0, 1]")
    if any(low[0] >= high[0] for low, high in pairwise(rows)):
        raise ValueError("the qualities of keep_quality do not ascend")
    return rows


def threshold_for(keep_quality: Sequence[tuple[float, float]], quality: float) -> float:
    """The threshold of the first row that keeps this quality; 0 above the table's end. keep_quality: as a header's."""
    return next((threshold for kept, threshold in keep_quality if kept >= quality), 0.0)
