"""Reads a day that is moved forwards and backwards."""

import re
from datetime import date

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread, question_after

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_START = re.compile(
    rf"(?:set for|starting from|today is)(?: an?)? (?:({'|'.join(_WEEKDAYS)})|(\d\d?) ({'|'.join(_MONTHS)}) (\d{{4}}))",
    re.IGNORECASE,
)
_MOVE = re.compile(r"([-+])?(\d{1,5}) (day|week)s?(?: (later|forward|earlier|back))?", re.IGNORECASE)
_SOME_MONDAY = date(2024, 1, 1).toordinal()


def read(prompt: str) -> AnyProblem | None:
    """The moved day in a prompt, as a day's ordinal, or None."""
    start = _START.search(prompt)
    if start is None:
        return None
    day = _day(start)
    moves = [_step(match) for match in _MOVE.finditer(question_after(prompt, start.end())) if match[1] or match[4]]
    if day is None or not moves:
        return None
    name = _weekday if start[1] else _date
    return Problem(start=day, steps=tuple(moves), read=name, blur=misread, shows=name)


def _day(start: re.Match[str]) -> int | None:
    if start[1]:
        return _SOME_MONDAY + _WEEKDAYS.index(start[1].capitalize())
    try:
        return date(int(start[4]), 1 + _MONTHS.index(start[3].capitalize()), int(start[2])).toordinal()
    except ValueError:
        return None


def _step(move: re.Match[str]) -> Step[int]:
    back = move[1] == "-" or (move[4] or "").lower() in ("earlier", "back")
    days = int(move[2]) * (7 if move[3].lower() == "week" else 1) * (-1 if back else 1)
    return Step(f"{days:+d} days", lambda day: day + days)


def _weekday(day: int) -> str:
    return _WEEKDAYS[(day - _SOME_MONDAY) % 7]


def _date(day: int) -> str:
    """`7 April 2023`; days beyond the calendar's ends stop there."""
    found = date.fromordinal(max(1, min(day, date.max.toordinal())))
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"
