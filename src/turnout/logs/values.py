"""One value of a log's row: numbers, booleans and grades as pandas, spreadsheets and people write them. Pure.

What cannot be read raises ValueError with a reason that fits behind a file's name and a line's number.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

# Characters shown of a value that is wrong.
SHOWN = 60
# The largest weight and cost: a sum of millions of them, and its square, still is a number.
LARGEST = 1e9
# Where the scales end that people and models grade on.
SCALE_ENDS = (5.0, 10.0, 100.0)

# As people, feedback buttons and spreadsheets of other languages write them.
_TRUE = {
    "true", "yes", "y", "t", "up", "like", "liked", "good", "correct", "right", "pass", "passed", "positive",
    "ok", "success", "succeeded", "helpful", "accepted", "accept", "win", "won", "satisfied", "wahr", "vrai",
    "verdadero", "vero", "upvote", "upvoted", "👍", "✅", "✔", "✓", "😀", "🙂", ":+1:", ":thumbsup:",
}  # fmt: skip
_FALSE = {
    "false", "no", "n", "f", "down", "dislike", "disliked", "bad", "incorrect", "wrong", "fail", "failed",
    "negative", "failure", "unhelpful", "rejected", "reject", "loss", "lost", "unsatisfied", "falsch", "faux",
    "falso", "downvote", "downvoted", "👎", "❌", "✖", "✗", "✘", "🙁", ":-1:", ":thumbsdown:",
}  # fmt: skip
# Skin tones, and the mark that asks for a picture instead of a character.
_EMOJI_VARIANTS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
# 4/5, 8 / 10
_FRACTION = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|out of)\s*(\d+(?:\.\d+)?)")
# As pandas, R and spreadsheets write a number that is none; as a text, NA may be a country.
_NO_NUMBER = frozenset({"", "null", "none", "nan", "na", "n/a", "<na>", "-", "–", "—"})
# As spreadsheets of half of the world write a fraction; 1,000 is as likely a thousand.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}|[+-]?0,\d+")
_EITHER_COMMA, _THOUSAND = re.compile(r"[+-]?\d{1,3},\d{3}"), 1000.0
# ★★★★☆: those that are won, and those that are not.
_STARS = re.compile(r"([★⭐🌟]+)([☆✩⚝]*)|([☆✩⚝]+)")
# Where none is hollow, so many are all of them.
_ALL_STARS = 5
# A part of a hundred.
_PERCENT = re.compile(r"\s*(?:%|percent|per cent|pct)$")
# What may stand behind a grade.
_UNITS = re.compile(r"\s*(?:stars?|points?|pts?|sterne|étoiles|estrellas)\.?$")


class OffScale(ValueError):
    """A quality outside its scale: alone a slip, in some per cent of the rows another scale. value: what it is."""

    def __init__(self, message: str, value: float) -> None:
        super().__init__(message)
        self.value = value


@dataclass(frozen=True, slots=True)
class Scale:
    """What a grade goes from, worst, and to, best; worst may be the larger number."""

    worst: float = 0.0
    best: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Scale:
        """From `1:5`, higher is better, or `5:1`, lower is. Raises ValueError."""
        worst, colon, best = text.partition(":")
        try:
            scale = cls(float(worst), float(best))
        except ValueError:
            colon = ""
        if not colon or not all(map(math.isfinite, (scale.worst, scale.best))) or scale.worst == scale.best:
            raise ValueError(f"a scale is written WORST:BEST, as 1:5 (or 5:1 where lower is better), not {text!r}")
        return scale

    def quality(self, grade: float, name: str) -> float:
        """The grade's place between worst and best, in [0, 1]. Raises OffScale."""
        place = (grade - self.worst) / (self.best - self.worst)
        if not 0.0 <= place <= 1.0:
            low, high = sorted((self.worst, self.best))
            raise OffScale(f"{name} is {grade:g}, outside [{low:g}, {high:g}]", grade)
        return place


UNIT = Scale()


def is_missing(value: Any) -> bool:
    """Whether a value is none: null, an empty cell, or the NaN that pandas writes for either."""
    return value is None or (isinstance(value, str) and not value) or (isinstance(value, float) and math.isnan(value))


def _is_no_number(value: Any) -> bool:
    return value.strip().lower() in _NO_NUMBER if isinstance(value, str) else is_missing(value)


def number(value: Any, name: str) -> float:
    """The number of a cell: 1, "1.0", "1,0", "85 %" (0.85), TRUE, yes. Raises ValueError."""
    if isinstance(value, str):
        return _number_of_text(value, name)
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a {type(value).__name__}, not a number") from None


def _number_of_text(value: str, name: str) -> float:
    text = _EMOJI_VARIANTS.sub("", value.strip().lower())
    if text.strip(":").startswith("thumb"):
        text = text.strip(":").removeprefix("thumbs").removeprefix("thumb").lstrip("_ -")
    if text in _TRUE or text in _FALSE:
        return float(text in _TRUE)
    if stars := _STARS.fullmatch(text):
        won, lost = len(stars[1] or ""), len(stars[2] or stars[3] or "")
        return won / (won + lost) if lost or won == _ALL_STARS else float(won)
    text = _UNITS.sub("", text)
    if (fraction := _FRACTION.fullmatch(text)) and float(fraction[2]):
        return float(fraction[1]) / float(fraction[2])
    percent = _PERCENT.search(text)
    text = _PERCENT.sub("", text)
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        # float() reads 1_000 and the digits of other scripts too; a log that holds them was made by another rule.
        parsed = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        parsed = math.nan
    if math.isnan(parsed):
        shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
        raise ValueError(f"{name} is {shown!r}, not a number")
    return parsed / 100 if percent else parsed


def quality(value: Any, name: str, scale: Scale = UNIT) -> float:
    """A quality in [0, 1]. Booleans, thumbs and percentages need no scale. Raises ValueError, OffScale."""
    if _is_no_number(value):
        raise ValueError(f"{name} is missing")
    if isinstance(value, str):
        text = _EMOJI_VARIANTS.sub("", value.strip())
        if scale is not UNIT and (stars := _STARS.fullmatch(text)):
            return scale.quality(float(len(stars[1] or "")), name)
        if _EITHER_COMMA.fullmatch(text) and max(abs(scale.worst), abs(scale.best)) < _THOUSAND:
            # A thousand is on no such scale.
            value = text.replace(",", ".")
    grade = number(value, name)
    if isinstance(value, bool) or (isinstance(value, str) and not _is_plain(value)):
        return UNIT.quality(grade, name)
    return scale.quality(grade, name)


def _is_plain(text: str) -> bool:
    """Whether a text is a bare number, which stands on the file's own scale."""
    text = _UNITS.sub("", text.strip().lower())
    return (text[-1:].isdigit() or text[-1:] == ".") and not _FRACTION.fullmatch(text)


def optional_amount(value: Any, name: str) -> float:
    """A cost or a weight: 0 or more, nan where it is none. Raises ValueError."""
    if _is_no_number(value):
        return math.nan
    amount = number(value, name)
    if amount > LARGEST:
        raise ValueError(f"{name} is {amount:g}, above {LARGEST:g}")
    if not amount >= 0:
        raise ValueError(f"{name} is {amount:g}; it is 0 or more")
    return amount


def scale_flag(smallest: float, largest: float) -> str:
    """The flag to pass for qualities that go from here to there."""
    if smallest < 0:
        # As one word: argparse takes a value that begins with a minus for another option.
        return f"--scale={smallest:g}:{largest if largest > 0 else -smallest:g}"
    end = next((end for end in SCALE_ENDS if largest <= end), largest)
    return f"--scale {1 if end <= 10.0 and smallest >= 1 else 0}:{end:g}"
