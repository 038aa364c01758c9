"""The numbers of an answer: which of its `a op b = c` hold, where its numbers come from, what it ends with.

Pure and bounded: each pattern is linear in the text, and at most MOST_EQUATIONS of it are reckoned.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

# Equations that are reckoned: an answer of 3,000 characters holds some 40.
MOST_EQUATIONS = 64
# Of the greater of 1 and the value: rounded to cents, or to one decimal, is still right.
TOLERANCE = 0.006
# Numbers of a question that are looked for: more are a table.
MOST_GIVEN = 64

NAMES = (
    "numbers", "distinct numbers", "numbers of the question", "numbers of the question that are used",
    "share of the question's numbers used", "numbers from nowhere", "share of numbers from nowhere", "largest number",
    "final number", "digits of the final number", "final number is whole", "final number is negative",
    "final number is one of the question", "final number stood before", "final number against the question's largest",
    "final number is round", "equations", "right equations", "wrong equations", "share of right equations",
    "final number is a result", "last result is the final number", "share of results used later",
    "share of results that stood twice", "operands from nowhere", "share of operands from nowhere",
    "results that are not whole", "results below 0", "approximations", "equations for each number of the question",
    "share of the question's numbers reckoned with", "not whole where a count is asked", "words after the final number",
    "breaks off in a calculation",
)  # fmt: skip

_DIGITS = rb"\d[\d,]{0,14}(?:\.\d{1,17})?|\.\d{1,17}"
NUMBER = re.compile(rb"\d[\d,]{0,14}(?:\.\d{1,17})?")
_OPERATOR = rb"[-+*/x]"
# A unit of one word, a currency, a percent sign, or brackets may stand beside a number.
_UNIT = rb"%?\){0,2}(?: (?!x )[a-z]{1,12}\){0,2}){0,3}"
_TERM = rb"[$(]{0,3}-?\$?(?:" + _DIGITS + rb")" + _UNIT
_NEXT = rb"(?: ?" + _OPERATOR + rb" ?" + _TERM + rb")"
# The first character stands first, so that it is looked for at once; then what may not stand before it: the middle of a
# number, or an unknown (y - 2 + 3 = 5). The right side may be the next equation's left.
_FIRST = rb"(?:(?<=\d)[\d,]{0,14}(?:\.\d{1,17})?|(?<=[$(.\-])[$(]{0,2}-?\$?(?:" + _DIGITS + rb"))" + _UNIT
_EQUATION = re.compile(
    rb"([\d$(.\-](?<![\w.,].)(?<![-+*/] .)(?<![-+*/(].)" + _FIRST + _NEXT + rb"{1,15}) ?[=~] ?"
    rb"(?:<<[^>=\n]{1,60}=)?(?= ?(" + _TERM + _NEXT + rb"{0,8})(?!\d|[.,]\d|[a-z(^_]))"
)  # fmt: skip
_TOKEN = re.compile(rb"(" + _DIGITS + rb")(%?)|([-+*/x])(?![a-z])|([()])")
# What is written otherwise is read as the same: operators beyond ASCII, LaTeX, remarks in brackets.
_OTHERWISE = (
    (b"\xc3\x97", b"*"), (b"\xc3\xb7", b"/"), (b"\xe2\x88\x92", b"-"), (b"\xe2\x89\x88", b"~"), (b"\\times", b"*"),
    (b"\\cdot", b"*"), (b"\\div", b"/"), (b"\\approx", b"~"), (b"\\left", b""), (b"\\right", b""), (b"\\", b""),
)  # fmt: skip
_FRACTION = re.compile(rb"\\[dt]?frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}")
_RATE = re.compile(rb"/[a-z]{2,12}")
_NAMED = re.compile(rb"\\(?:text|mathrm|mbox)\{([^{}]{0,60})\}")
_REMARK = re.compile(rb" \([a-z][^()\n]{0,60}\)")
_APPROXIMATE = (b"~", b"approx", b"round", b"nearest")
_WRITTEN = {
    b"one": (1.0,), b"two": (2.0,), b"three": (3.0,), b"four": (4.0,), b"five": (5.0,), b"six": (6.0,),
    b"seven": (7.0,), b"eight": (8.0,), b"nine": (9.0,), b"ten": (10.0,), b"eleven": (11.0,), b"twelve": (12.0,),
    b"fifteen": (15.0,), b"twenty": (20.0,), b"thirty": (30.0,), b"forty": (40.0,), b"fifty": (50.0,),
    b"hundred": (100.0,), b"thousand": (1000.0,), b"twice": (2.0,), b"double": (2.0,), b"doubled": (2.0,),
    b"doubles": (2.0,), b"thrice": (3.0,), b"triple": (3.0,), b"tripled": (3.0,), b"triples": (3.0,),
    b"half": (2.0, 0.5), b"halves": (2.0, 0.5), b"third": (3.0,), b"thirds": (3.0,), b"quarter": (4.0, 0.25),
    b"quarters": (4.0, 0.25), b"fourth": (4.0,), b"fifth": (5.0,), b"dozen": (12.0,), b"dozens": (12.0,),
    b"couple": (2.0,), b"both": (2.0,), b"pair": (2.0,), b"pairs": (2.0,), b"week": (7.0,), b"weeks": (7.0,),
    b"year": (12.0, 52.0), b"years": (12.0,), b"average": (2.0,),
}  # fmt: skip
_WORD = re.compile(rb"[a-z]+")
# Of the calendar, the clock and the scales: nobody gives them.
_COMMON = frozenset((0.0, 1.0, 7.0, 12.0, 24.0, 30.0, 52.0, 60.0, 100.0, 365.0, 1000.0))
_RANKS = {b"+": 1, b"-": 1, b"*": 2, b"x": 2, b"/": 2}
_APPLIED: dict[bytes, Callable[[float, float], float]] = {
    b"+": operator.add, b"-": operator.sub, b"*": operator.mul, b"x": operator.mul, b"/": operator.truediv,
}  # fmt: skip
_COUNT = (b"how many", b"number of")
_OPENS = (b"=", b"+", b"-", b"*", b"/", b"<")
# A number that is cut within its thousands.
_CUT = re.compile(rb",\d{1,2}$")


class Given(NamedTuple):
    """What a question gives. numbers: those in digits, with what each is reckoned with as where it is a per cent;
    written: for each in words its values; counted: whether it asks for a count."""

    numbers: Mapping[float, Sequence[float]]
    written: Sequence[Sequence[float]]
    counted: bool

    @property
    def size(self) -> int:
        return len(self.numbers) + len(self.written)

    def share_in(self, found: set[float]) -> float:
        """Which share of them is among these."""
        used = sum(each in found or not found.isdisjoint(shares) for each, shares in self.numbers.items())
        used += sum(not found.isdisjoint(values) for values in self.written)
        return used / max(1, self.size)

    def known(self) -> set[float]:
        """What may be reckoned with."""
        return set(_COMMON).union(self.numbers, *self.numbers.values(), *self.written)


def given_of(asked: bytes, words: Sequence[bytes]) -> Given:
    """asked: a question without case; words: its words."""
    written = {_WRITTEN[word] for word in _WRITTEN.keys() & set(words)}
    numbers = set(map(value_of, NUMBER.findall(asked)[:MOST_GIVEN]))
    shares = {each: _shares(each) for each in numbers}
    return Given(shares, tuple(written), any(each in asked[-250:] for each in _COUNT))


def _shares(value: float) -> Sequence[float]:
    return (value / 100.0, 1.0 - value / 100.0, 1.0 + value / 100.0, 100.0 - value) if value <= 100.0 else ()


class Equation(NamedTuple):
    """holds: whether both sides come to the same; None where one divides by 0. operands: of its left side."""

    operands: Sequence[float]
    result: float
    holds: bool | None


def number_signs(folded: bytes, asked: bytes, words: Sequence[bytes]) -> Sequence[float]:
    """What NAMES tell of an answer without case and its question, whose words these are: [len(NAMES)]."""
    plain = plainly(folded)
    written = NUMBER.findall(folded)
    values = [value_of(each) for each in written]
    given = given_of(asked, words)
    equations = reckoned(plain)
    results = [each.result for each in equations]
    right, wrong = (sum(each.holds is wanted for each in equations) for wanted in (True, False))
    found, came = set(values), set(results)
    strange = sum(each not in given.numbers and each not in came for each in values)
    used, known = len(given.numbers.keys() & found), right + wrong
    return (
        math.log1p(len(values)), math.log1p(len(found)), math.log1p(len(given.numbers)), math.log1p(used),
        used / max(1, len(given.numbers)), math.log1p(strange), strange / max(1, len(values)),
        math.log1p(max(values, default=0.0)), *_final(folded, written, values, given.numbers),
        math.log1p(known), math.log1p(right), math.log1p(wrong), right / known if known else 0.5,
        float(bool(values) and values[-1] in came), float(bool(results) and results[-1] == values[-1]),
        *_provenance(equations, given),
        math.log1p(sum(map(plain.count, _APPROXIMATE))), math.log((len(equations) + 1) / (given.size + 1)),
        given.share_in({each for equation in equations for each in equation.operands}),
        float(given.counted and bool(values) and not values[-1].is_integer()),
        *_last(plain),
    )  # fmt: skip


def _provenance(equations: Sequence[Equation], given: Given) -> Sequence[float]:
    """Of results: the share used later, and that stood twice; of operands: how many come from nowhere; then how many
    results are not whole, and whether one is below 0."""
    results = [each.result for each in equations]
    came = given.known()
    strange = total = 0
    later: set[float] = set()
    for each in equations:
        total += len(each.operands)
        strange += sum(value not in came for value in each.operands)
        came.add(each.result)
        later.update(each.operands)
    return (
        sum(each in later for each in results[:-1]) / max(1, len(results) - 1),
        1.0 - len(set(results)) / max(1, len(results)),
        math.log1p(strange), strange / max(1, total),
        math.log1p(sum(not each.is_integer() for each in results)), float(any(each < 0 for each in results)),
    )  # fmt: skip


def _last(plain: bytes) -> Sequence[float]:
    """How many words stand after the last number of the last line; whether the answer breaks off in a calculation."""
    line = plain[plain.rfind(b"\n") + 1 :]
    found = list(NUMBER.finditer(line))
    after = len(_WORD.findall(line[found[-1].end() :])) if found else -1
    unclosed = line.count(b"<<") > line.count(b">>")
    return math.log1p(after + 1), float(unclosed or _CUT.search(line) is not None or line.endswith(_OPENS))


def _final(
    folded: bytes, written: Sequence[bytes], values: Sequence[float], given: Collection[float]
) -> Sequence[float]:
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


def plainly(folded: bytes) -> bytes:
    """With operators of one character each, without remarks in brackets and LaTeX's marks."""
    if b"frac{" in folded:
        folded = _FRACTION.sub(rb"(\1)/(\2)", folded)
    if b"\\" in folded:
        folded = _NAMED.sub(rb" \1", folded)
    if b"\\" in folded or not folded.isascii():
        for one, other in _OTHERWISE:
            folded = folded.replace(one, other)
    if b"% of " in folded:
        folded = folded.replace(b"% of ", b"% * ")
    if b"/" in folded:
        folded = _RATE.sub(b"", folded)
    return _REMARK.sub(b"", folded) if b" (" in folded else folded


def reckoned(plain: bytes) -> list[Equation]:
    """The equations of a text that is written plainly, in their order."""
    found: list[Equation] = []
    if b"=" not in plain and b"~" not in plain:
        return found
    for match in _EQUATION.finditer(plain):
        if len(found) == MOST_EQUATIONS:
            break
        operands, comes_to = _evaluated(match.group(1))
        _, result = _evaluated(match.group(2))
        if result is None:
            continue
        holds = None
        if comes_to is not None:
            # In per cent on one side, as a share on the other, is right too.
            holds = _near(comes_to, result) or _near(100 * comes_to, result) or _near(comes_to, 100 * result)
        found.append(Equation(operands, result, holds))
    return found


def _near(one: float, other: float) -> bool:
    return abs(abs(one) - abs(other)) <= TOLERANCE * max(1.0, abs(one))


def _evaluated(expression: bytes) -> tuple[Sequence[float], float | None]:
    """Its numbers, and what it comes to: brackets, then products, then sums; None where it divides by 0."""
    tokens = _TOKEN.findall(expression)
    if len(tokens) == 1 and tokens[0][0]:
        number = value_of(tokens[0][0])
        return (number,), number / 100.0 if tokens[0][1] else number
    operands = [value_of(digits) for digits, *_ in tokens if digits]
    try:
        if len(tokens) == 3 and len(operands) == 2 and tokens[1][2] and not tokens[0][1] + tokens[2][1]:
            return operands, _APPLIED[tokens[1][2]](*operands)
        return operands, _value(tokens)
    except (ZeroDivisionError, IndexError):
        return operands, None


def _value(tokens: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> float:
    """Dijkstra's shunting yard. A sign is a 0 less; brackets that stand side by side are multiplied, one that is left
    open closes at the end."""
    values: list[float] = []
    waiting: list[bytes] = []
    starts = True
    for digits, percent, sign, bracket in tokens:
        if digits:
            values.append(value_of(digits) / 100.0 if percent else value_of(digits))
            starts = False
        elif bracket == b"(":
            waiting.extend((bracket,) if starts else (b"*", bracket))
            starts = True
        elif bracket:
            _settle(waiting, values, 0)
            if waiting:
                waiting.pop()
        elif starts:
            values.append(0.0)
            waiting.append(sign)
        else:
            _settle(waiting, values, _RANKS[sign])
            waiting.append(sign)
            starts = True
    while waiting:
        _settle(waiting, values, 0)
        if waiting:
            waiting.pop()
    return values[-1]


def _settle(waiting: list[bytes], values: list[float], rank: int) -> None:
    """Applies the operators that wait down to this rank, or to a bracket."""
    while waiting and waiting[-1] != b"(" and _RANKS[waiting[-1]] >= rank:
        second = values.pop()
        values.append(_APPLIED[waiting.pop()](values.pop(), second))
