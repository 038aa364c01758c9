"""Reads rules that make the next term, letters defined one by another, sums, and "what comes next"."""

import re
from collections.abc import Callable
from itertools import pairwise
from operator import add, mul, sub
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread, question_after

_LETTERS = re.compile(r"letters stand for numbers:|\blet ", re.IGNORECASE)
_DEFINED = re.compile(
    r"\b([a-z]) (?:is|be|=) (?:([a-z]) (plus|minus|times|\+|-|\*) )?(?:(\d{1,9})|([a-z]))\b", re.IGNORECASE
)
_LETTER_ASKED = re.compile(r"what is ([a-z])\?", re.IGNORECASE)
_SUMMED = re.compile(r"numbers ((?:\d{1,9}, )+\d{1,9})")
_LISTED = re.compile(r"(?:\d{1,9}, ){2,}\d{1,9}")
_STARTS = re.compile(r"starts with (\d{1,9})(?: and (\d{1,9}))?")
_RULE = re.compile(r"each term is (double |three times )?the one before plus (\d{1,9})", re.IGNORECASE)
_TERM = re.compile(r"(\d{1,2})(?:st|nd|rd|th) term")

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "plus": add, "+": add, "minus": sub, "-": sub, "times": mul, "*": mul,
}  # fmt: skip


def read(prompt: str) -> AnyProblem | None:
    """The sequence in a prompt, or None."""
    return _letters(prompt) or _rule(prompt) or _pairs(prompt) or _next(prompt) or _sum(prompt)


def _letters(prompt: str) -> AnyProblem | None:
    opening, asked = _LETTERS.search(prompt), _LETTER_ASKED.search(prompt)
    if opening is None or asked is None:
        return None
    known: dict[str, int] = {}
    steps: list[Step[dict[str, int]]] = []
    for name, left, sign, number, right in _DEFINED.findall(question_after(prompt, opening.end())):
        if left:
            steps.append(_definition(name, left, sign, int(number) if number else right))
        elif number:
            known[name] = int(number)
    target = asked[1]

    def answer(values: dict[str, int]) -> str:
        """The letter asked for, or, where it was never reached, the last one that was."""
        return str(values.get(target, list(values.values())[-1]))

    def blur(values: dict[str, int], chance: Random) -> dict[str, int]:
        return values | {target: misread(int(answer(values)), chance)}

    if not known or not steps:
        return None
    return Problem(start=known, steps=tuple(steps), read=answer, blur=blur, shows=answer)


def _definition(name: str, left: str, sign: str, right: int | str) -> Step[dict[str, int]]:
    operate = _OPERATIONS[sign.lower()]

    def apply(values: dict[str, int]) -> dict[str, int]:
        other = right if isinstance(right, int) else values.get(right, 0)
        return values | {name: operate(values.get(left, list(values.values())[-1]), other)}

    return Step(f"{name} = {left} {sign} {right}", apply)


def _sum(prompt: str) -> AnyProblem | None:
    found = _SUMMED.search(prompt)
    if found is None or not re.search(r"\bsum\b|add up", prompt, re.IGNORECASE):
        return None
    first, *rest = map(int, found[1].split(", "))
    return _number_problem(first, [_plus(number) for number in rest])


def _plus(number: int) -> Step[int]:
    return Step(f"add {number}", lambda value: value + number)


def _number_problem(start: int, steps: list[Step[int]]) -> AnyProblem:
    return Problem(start=start, steps=tuple(steps), read=str, blur=misread, shows=str)


def _rule(prompt: str) -> AnyProblem | None:
    starts, rule, term = _STARTS.search(prompt), _RULE.search(prompt), _TERM.search(prompt)
    if starts is None or rule is None or term is None:
        return None
    by = {"": 1, "double ": 2, "three times ": 3}[(rule[1] or "").lower()]
    more = int(rule[2])
    step: Step[int] = Step(f"x {by} + {more}", lambda value: value * by + more)
    return _number_problem(int(starts[1]), [step] * (int(term[1]) - 1)) if int(term[1]) > 1 else None


def _last_two_problem(start: tuple[int, int], steps: list[Step[tuple[int, int]]]) -> AnyProblem:
    return Problem(
        start=start,
        steps=tuple(steps),
        read=lambda two: str(two[1]),
        shows=lambda two: str(two[1]),
        blur=lambda two, chance: (two[0], misread(two[1], chance)),
    )


def _pairs(prompt: str) -> AnyProblem | None:
    starts, term = _STARTS.search(prompt), _TERM.search(prompt)
    if starts is None or not starts[2] or term is None or "sum of the two before" not in prompt:
        return None
    step: Step[tuple[int, int]] = Step("sum of two", lambda two: (two[1], two[0] + two[1]))
    return _last_two_problem((int(starts[1]), int(starts[2])), [step] * max(0, int(term[1]) - 2))


def _next(prompt: str) -> AnyProblem | None:
    """One step where the terms differ by the same, two where the difference itself grows by the same."""
    found = _LISTED.search(prompt)
    if found is None or "comes next" not in prompt:
        return None
    terms = [int(term) for term in found[0].split(", ")]
    gaps = [later - earlier for earlier, later in pairwise(terms)]
    growths = {later - earlier for earlier, later in pairwise(gaps)}
    growth = growths.pop() if len(growths) == 1 else 0
    steps: list[Step[tuple[int, int]]] = [Step("add the gap", lambda two: (two[0], two[1] + two[0]))]
    if growth:
        steps.insert(0, Step(f"gap grows {growth}", lambda two: (two[0] + growth, two[1])))
    return _last_two_problem((gaps[-1], terms[-1]), steps)
