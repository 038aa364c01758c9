"""The numbers of an answer: which of its `a op b = c` hold, what it uses of the question's numbers, what it ends with.

Pure and bounded: each pattern is linear in the text, and at most MOST_EQUATIONS of it are reckoned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

# Equations that are reckoned: an answer of 3,000 characters holds some 40.
MOST_EQUATIONS = 64
# Of the greater of 1 and the value: rounded to cents, or to one decimal, is still right.
TOLERANCE = 0.006

NAMES = (
    "numbers", "distinct numbers", "numbers of the question", "numbers of the question that are used",
    "share of the question's numbers used", "numbers from nowhere", "share of numbers from nowhere", "largest number",
    "final number", "digits of the final number", "final number is whole", "final number is negative",
    "final number is one of the question", "final number stood before", "final number against the question's largest",
    "final number is round", "equations", "right equations", "wrong equations", "share of right equations",
    "final number is a result", "last result is the final number", "share of results used later",
    "share of results that stood twice",
)  # fmt: skip

_DIGITS = rb"\d[\d,]{0,14}(?:\.\d{1,9})?"
_NUMBER = re.compile(_DIGITS)
_OPERATOR = rb"(?:\\times|\\div|\\cdot|\xc3\x97|\xc3\xb7|\xe2\x88\x92|[-+*/x])"
# A unit of one word, a currency, or the sign of a calculation may stand beside a number.
_TERM = rb"[$(]{0,2}" + _DIGITS + rb"%?\)?(?: [a-z]{1,12})?"
_EQUATION = re.compile(
    rb"(" + _TERM + rb"(?: ?" + _OPERATOR + rb" ?" + _TERM + rb"){1,8}) ?= ?"
    rb"(?:<<[^>=\n]{1,60}=)?[$ ]{0,2}(-?" + _DIGITS + rb")"
)  # fmt: skip
_TOKEN = re.compile(rb"(" + _DIGITS + rb")(%?)|(" + _OPERATOR + rb")(?![a-z])")
_PLUS, _MINUS, _DIVIDES = (b"+",), (b"-", b"\xe2\x88\x92"), (b"/", b"\\div", b"\xc3\xb7")


def number_signs(folded: bytes, asked: bytes) -> Sequence[float]:
    """What NAMES tell of an answer without case, and of the question that it is for: [len(NAMES)]."""
    written = _NUMBER.findall(folded)
    values = [value_of(each) for each in written]
    given = {value_of(each) for each in _NUMBER.findall(asked)}
    right, wrong, results = reckoned(folded)
    found, came = set(values), set(results)
    strange = sum(1 for each in values if each not in given and each not in came)
    used, known = len(given & found), right + wrong
    counted = [values.count(each) for each in came]
    return (
        math.log1p(len(values)), math.log1p(len(found)), math.log1p(len(given)), math.log1p(used),
        used / max(1, len(given)), math.log1p(strange), strange / max(1, len(values)),
        math.log1p(max(values, default=0.0)), *_final(folded, written, values, given),
        math.log1p(known), math.log1p(right), math.log1p(wrong), right / known if known else 0.5,
        float(bool(values) and values[-1] in came), float(bool(results) and results[-1] == values[-1]),
        sum(count > 1 for count in counted) / max(1, len(counted)),
        1.0 - len(came) / max(1, len(results)),
    )  # fmt: skip


def _final(folded: bytes, written: Sequence[bytes], values: Sequence[float], given: set[float]) -> Sequence[float]:
    if not values:
        return (0.0,) * 8
    final, largest = values[-1], max(given, default=0.0)
    before = folded.rfind(written[-1])
    negative = folded[max(0, before - 2) : before].strip(b"$").endswith(b"-")
    return (
        math.log1p(final), float(len(written[-1])), float(final.is_integer()), float(negative), float(final in given),
        math.log1p(values.count(final) - 1), max(-5.0, min(5.0, math.log((final + 1) / (largest + 1)))),
        float(final % 10 == 0),
    )  # fmt: skip


def value_of(digits: bytes) -> float:
    """The number that is written so."""
    return float(digits.replace(b",", b""))


def reckoned(folded: bytes) -> tuple[int, int, list[float]]:
    """How many equations hold and how many do not, and what they claim to come to, in their order."""
    right = wrong = 0
    results: list[float] = []
    if b"=" not in folded:
        return right, wrong, results
    for match in _EQUATION.finditer(folded):
        if len(results) == MOST_EQUATIONS:
            break
        comes_to, claimed = _evaluated(match.group(1)), abs(value_of(match.group(2).lstrip(b"-")))
        results.append(claimed)
        if comes_to is None:
            continue
        near = TOLERANCE * max(1.0, comes_to)
        holds = abs(comes_to - claimed) <= near or abs(100.0 * comes_to - claimed) <= 100.0 * near
        right, wrong = right + holds, wrong + (not holds)
    return right, wrong, results


def _evaluated(expression: bytes) -> float | None:
    """What it comes to, without its sign: products before sums, brackets left out; None where it divides by 0."""
    total, product, sign, operator = 0.0, None, 1.0, b""
    for digits, percent, written in _TOKEN.findall(expression):
        if written:
            operator = written
            continue
        value = value_of(digits) / (100.0 if percent else 1.0)
        if product is None:
            product = value
        elif operator in _DIVIDES:
            if not value:
                return None
            product /= value
        elif operator in _PLUS or operator in _MINUS:
            total, sign, product = total + sign * product, (1.0 if operator in _PLUS else -1.0), value
        else:
            product *= value
    return None if product is None else abs(total + sign * product)
