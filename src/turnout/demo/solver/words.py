"""Parses a word and the changes of its letters."""

import re
from collections.abc import Callable
from random import Random

from turnout.demo.solver.problem import AnyProblem, Problem, Step, misread_number, question_after

_WORD = re.compile(r"word '([a-z]+)'", re.IGNORECASE)
_CHANGE = re.compile(
    r"(?P<reverse>reverse|backwards)"
    r"|(?P<drop_first>(?:remove|drop)(?: the)? first)"
    r"|(?P<drop_last>(?:remove|drop)(?: the)? last)"
    r"|(?P<first_to_end>first(?: letter)? to(?: the)? end)"
    r"|(?P<last_to_front>last(?: letter)? to(?: the)? front)"
    r"|(?P<swap_ends>swap(?: the)? (?:ends|first and last))"
    r"|'(?P<appended>[a-z])' at(?: the)? end"
    r"|'(?P<old>[a-z])' (?:with|to) '(?P<new>[a-z])'",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"how many (letters|vowels) does", re.IGNORECASE)

_CHANGES: dict[str, Callable[[str], str]] = {
    "reverse": lambda word: word[::-1],
    "drop_first": lambda word: word[1:],
    "drop_last": lambda word: word[:-1],
    "first_to_end": lambda word: word[1:] + word[:1],
    "last_to_front": lambda word: word[-1:] + word[:-1],
    "swap_ends": lambda word: word[-1:] + word[1:-1] + word[:1] if len(word) > 1 else word,
}


def parse(prompt: str) -> AnyProblem | None:
    """The word puzzle in a prompt, or None."""
    word, counted = _WORD.search(prompt), _COUNTED.search(prompt)
    if word is None:
        return None
    steps = [_change(match) for match in _CHANGE.finditer(question_after(prompt, word.end()))]
    steps += [_count(counted[1].lower())] if counted else []
    if not steps:
        return None
    return Problem(
        start=word[1].lower(),
        steps=tuple(steps),
        answer=_or_nothing,
        distort=_misspelt,
        note=lambda before, description, after: f"{description}: {_or_nothing(after)}",
    )


def _or_nothing(word: str) -> str:
    return word or "nothing"


def _change(match: re.Match[str]) -> Step[str]:
    appended, old, new = match["appended"], match["old"], match["new"]
    if appended:
        return Step(f"put {appended}", lambda word: word + appended, 1.1)
    if old:
        return Step(f"{old} to {new}", lambda word: word.replace(old, new), 1.1)
    name = match.lastgroup or ""
    return Step(name.replace("_", " "), _CHANGES[name], 1.1)


def _count(kind: str) -> Step[str]:
    counted = "aeiou" if kind == "vowels" else "abcdefghijklmnopqrstuvwxyz"
    return Step(f"count {kind}", lambda word: str(sum(letter in counted for letter in word)), 1.1)


def _misspelt(word: str, rng: Random) -> str:
    """A number a little off, or a word with two neighbours swapped or a letter lost."""
    if word.isdigit():
        return str(misread_number(int(word), rng))
    swappable = [at for at in range(len(word) - 1) if word[at] != word[at + 1]]
    if not swappable:
        return word[1:]
    at = rng.choice(swappable)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
