"""Reads mixed measures to be added up, and chains of conversions."""

import re
from fractions import Fraction
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread

# every name of a unit: what it measures, and its size in the smallest unit of that
_SIZES = {
    **dict.fromkeys(("km", "kilometre", "kilometer"), ("length", 100_000)),
    **dict.fromkeys(("m", "metre", "meter"), ("length", 100)),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), ("length", 1)),
    **dict.fromkeys(("h", "hour"), ("time", 3600)),
    **dict.fromkeys(("min", "minute"), ("time", 60)),
    **dict.fromkeys(("s", "second"), ("time", 1)),
    **dict.fromkeys(("kg", "kilogram"), ("mass", 1000)),
    **dict.fromkeys(("g", "gram"), ("mass", 1)),
    **dict.fromkeys(("l", "litre", "liter"), ("volume", 1000)),
    **dict.fromkeys(("ml", "millilitre", "milliliter"), ("volume", 1)),
}
_LINK = re.compile(
    r"\b(?:one|an?|each|every|1) ([a-z]+) (?:holds|contains|is|equals|makes|=) (\d{1,9}) ([a-z]+)", re.IGNORECASE
)
_ASKED = re.compile(r"how many ([a-z]+)(?: are| there| in| do)* (\d{1,9}) ([a-z]+)", re.IGNORECASE)
_TARGET = re.compile(r"how many ([a-z]+)\b", re.IGNORECASE)
_QUANTITY = re.compile(r"(\d{1,9}) ?([a-z]+)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


def read(prompt: str) -> AnyProblem | None:
    """The conversion in a prompt, or None."""
    return _chain(prompt) or _measures(prompt)


def _chain(prompt: str) -> AnyProblem | None:
    asked = _ASKED.search(prompt)
    links = {_singular(big): (int(ratio), _singular(small)) for big, ratio, small in _LINK.findall(prompt)}
    if asked is None or not links:
        return None
    unit, target = _singular(asked[3]), _singular(asked[1])
    steps: list[Step[Fraction]] = []
    while unit != target and unit in links:
        ratio, unit = links.pop(unit)
        steps.append(_times(ratio, unit))
    return _problem(Fraction(int(asked[2])), steps) if steps and unit == target else None


def _times(ratio: int, unit: str) -> Step[Fraction]:
    return Step(f"x {ratio} {unit}", lambda value: value * ratio, 1.1)


def _measures(prompt: str) -> AnyProblem | None:
    before = ""
    for sentence in _SENTENCE_END.split(prompt):
        target = _TARGET.search(sentence)
        if target and _singular(target[1]) in _SIZES:
            legs = _legs(sentence, target[1]) or _legs(before, target[1])
            return _problem(Fraction(0), legs) if legs else None
        before = sentence
    return None


def _legs(sentence: str, target: str) -> list[Step[Fraction]]:
    """The sentence's quantities of the target's kind, each to be converted and added."""
    kind, size = _SIZES[_singular(target)]
    found = [(int(count), _SIZES.get(_singular(name), ("", 0))) for count, name in _QUANTITY.findall(sentence)]
    return [_leg(Fraction(count * each, size)) for count, (of, each) in found if of == kind]


def _leg(amount: Fraction) -> Step[Fraction]:
    return Step(f"add {_written(amount)}", lambda value: value + amount)


def _singular(name: str) -> str:
    lower = name.lower()
    if lower.endswith(("xes", "ches")):
        return lower[:-2]
    return lower[:-1] if lower.endswith("s") and len(lower) > 1 else lower


def _problem(start: Fraction, steps: list[Step[Fraction]]) -> AnyProblem:
    return Problem(start=start, steps=tuple(steps), read=_written, blur=_blurred, shows=_written)


def _written(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _blurred(value: Fraction, chance: Random) -> Fraction:
    return Fraction(misread(int(value), chance))
