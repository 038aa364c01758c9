"""Costs and weights as people and spreadsheets write them: `$0.0012`, `1,234.50 USD`, `3,4E-04`.

A comma is a decimal one or parts the thousands: most cells tell which, and what they tell holds for the others of the
same file. What no cell of it tells is not guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from turnout.logs.fields import first_field, unpack_json
from turnout.logs.names import plain
from turnout.logs.values import SHOWN, is_missing

_CURRENCIES = {"$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"} | {
    code.lower(): code for code in ("USD", "EUR", "GBP", "JPY", "CNY", "INR", "CHF", "CAD", "AUD", "BRL", "KRW", "SEK")
}
_CURRENCY = "|".join(re.escape(sign) for sign in sorted(_CURRENCIES, key=len, reverse=True))
_CELL = re.compile(
    rf"([+-]?)\s*(?P<before>{_CURRENCY})?\s*([+-]?)(?P<number>[0-9.,](?:[0-9.,'’\s]*[0-9.])?)(?P<power>e[+-]?[0-9]+)?"
    rf"\s*(?P<after>{_CURRENCY})?",
    re.I,
)
# Where an object tells a cost: whole, or of what was sent and what was answered.
_TOTALS = ("total_cost", "total", "total_usd", "usd", "amount", "value", "cost")
_PARTS = re.compile(r"(input|output|prompt|completion|cache_read|cache_write|cached|reasoning)(_cost|_usd)?")
# A longer cell is a text.
_LONGEST = 60
# Blanks and apostrophes part thousands and nothing else, before any mark.
_SPACED = re.compile(r"[0-9]{1,3}(?:[\s'’][0-9]{3})+(?:[.,][0-9]*)?")
_SPACES = re.compile(r"[\s'’]")
# 1,234 and 1.234: a thousand, or a fraction of three digits. With a zero in front, or with other digits, it is plain.
_EITHER = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_THOUSANDS = {mark: re.compile(rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+") for mark in ".,"}


class AmountReader:
    """Reads the amounts of one file. every: gives all of its amounts, asked for where a cell alone does not tell.

    currency: that they are in, as the first cell that tells one says; "" where none does.
    """

    def __init__(self, every: Callable[[], Iterable[Any]]) -> None:
        self._every = every
        # The decimal marks that cells of the file tell; None where they were not looked at.
        self._marks: frozenset[str] | None = None
        self.currency = ""

    def read(self, value: Any, name: str) -> Any:
        """The number of a text that is an amount, or of an object that holds one; any other value as it is. Raises
        ValueError."""
        value = amount_within(value)
        match = _cell(value)
        if match is None:
            return value
        self._check_currency((match["before"] or match["after"] or "").lower(), name)
        digits = _SPACES.sub("", match["number"])
        mark = _decimal_mark(digits, match["power"])
        if mark is None:
            mark = self._mark_of_file(value, name)
        number = _number(digits, mark)
        return value if number is None else float(f"{match[1]}{match[3]}{number}{match['power'] or ''}")

    def _check_currency(self, sign: str, name: str) -> None:
        """Raises ValueError for another currency than that of the cells before."""
        currency = _CURRENCIES.get(sign, "")
        if currency and self.currency and currency != self.currency:
            raise ValueError(f"{name} is in {currency}, but others of this file in {self.currency}")
        self.currency = self.currency or currency

    def _mark_of_file(self, value: str, name: str) -> str:
        """Of a cell that does not tell it. Raises ValueError where the file does not, either."""
        if self._marks is None:
            cells = filter(None, map(_cell, map(amount_within, self._every())))
            marks = {_decimal_mark(_SPACES.sub("", cell["number"]), cell["power"]) for cell in cells}
            self._marks = frozenset(mark for mark in marks if mark)
        if len(self._marks) == 1:
            return next(iter(self._marks))
        if self._marks or "," in value:
            raise ValueError(f"{name} is {value[:SHOWN]!r}, a thousand or a fraction; write it without thousands")
        return "."


def amount_within(value: Any) -> Any:
    """The amount that an object holds, `{"total": 0.002, "currency": "USD"}`, or the sum of its parts,
    `{"input": 0.001, "output": 0.002}`, a text where the object tells a currency; any other value as it is."""
    held = unpack_json(value)
    if not isinstance(held, Mapping):
        return value
    total = first_field(held, *_TOTALS)
    if total is None:
        total = _sum_of_parts(held)
    currency = held.get("currency")
    if total is None or is_missing(currency):
        return value if total is None else total
    cell = _cell(total)
    sign = (cell["before"] or cell["after"] or "").lower() if cell else ""
    return total if sign and _CURRENCIES[sign] == str(currency).upper() else f"{_written(total)} {currency}"


def _sum_of_parts(held: Mapping[Any, Any]) -> float | None:
    """None where it holds anything else: what is left out of a sum may be the dearest part."""
    parts = {name: part for name, part in held.items() if name != "currency"}
    if not parts or not all(_PARTS.fullmatch(plain(str(name))) and _is_number(part) for name, part in parts.items()):
        return None
    with suppress(OverflowError):
        return float(sum(parts.values()))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(total: Any) -> str:
    """A number without a decimal mark, which others of the file may have for thousands."""
    if not isinstance(total, float) or not math.isfinite(total):
        return str(total)
    sign, digits, power = Decimal(repr(total)).as_tuple()
    return f"{'-' * sign}{''.join(map(str, digits))}e{power}"


def _cell(value: Any) -> re.Match[str] | None:
    """The parts of a text that is an amount; None of any other value."""
    if not isinstance(value, str) or is_missing(value) or len(value) > _LONGEST:
        return None
    match = _CELL.fullmatch(value.strip())
    if match is None or (match[1] and match[3]) or (match["before"] and match["after"]):
        return None
    is_spaced = _SPACES.search(match["number"]) is not None
    return None if is_spaced and not _SPACED.fullmatch(match["number"]) else match


def _decimal_mark(digits: str, power: str | None) -> str | None:
    """The decimal mark that a number tells, "" where it holds no mark at all; None where it may be either."""
    marks = [mark for mark in digits if mark in ".,"]
    if len(set(marks)) == 2:
        return marks[-1]
    if len(marks) > 1:
        return "," if marks[0] == "." else "."
    if marks and _EITHER.fullmatch(digits) and not power:
        return None
    return marks[0] if marks else ""


def _number(digits: str, mark: str) -> str | None:
    """As float() reads it; None where its thousands are not parted in threes."""
    whole, _, fraction = digits.partition(mark) if mark else (digits, "", "")
    other = "." if mark == "," else ","
    if other in whole and not _THOUSANDS[other].fullmatch(whole):
        return None
    number = f"{whole.replace(other, '') or '0'}.{fraction or '0'}"
    return number if (fraction or "0").isdigit() and math.isfinite(float(number)) else None
