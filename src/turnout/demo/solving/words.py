"""Reads a word and what is to be done to its letters."""

import re
from collections.abc import Callable
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread, question_after

_WORD = re.compile(r"word '([a-z]+)'", re.IGNORECASE)
_CHANGE = re.compile(
    r"(?P<reverse>reverse|backwards)"
    r"|(?P<drop_first>(?:remove|drop)(?: the)? first)"
    r"|(?P<drop_last>(?:remove|drop)(?: the)? last)"
    r"|(?P<first_to_end>first(?: letter)? to(?: the)? end)"
    r"|(?P<last_to_front>last(?: letter)? to(?: the)? front)"
    r"|(?P<swap_ends>swap(?: the)? (?:ends|first and last))"
    r"|'(?P<put>[a-z])' at(?: the)? end"
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


def read(prompt: str) -> AnyProblem | None:
    """The word puzzle in a prompt, or None."""
    word = _WORD.search(prompt)
    if word is None:
        return None
    told = question_after(prompt, word.end())
    steps = [_step(match) for match in _CHANGE.finditer(told)]
    counted = _COUNTED.search(prompt)
    if counted:
        steps.append(_counting(counted[1].lower()))
    if not steps:
        return None
    return Problem(start=word[1].lower(), steps=tuple(steps), read=_letters, blur=_blurred, shows=_letters)


def _letters(word: str) -> str:
    return word or "nothing"


def _step(match: re.Match[str]) -> Step[str]:
    if match["put"]:
        return Step(f"put {match['put']}", lambda word: word + match["put"], 1.1)
    if match["old"]:
        return Step(f"{match['old']} to {match['new']}", lambda word: word.replace(match["old"], match["new"]), 1.1)
    name = match.lastgroup or ""
    return Step(name.replace("_", " "), _CHANGES[name], 1.1)


def _counting(what: str) -> Step[str]:
    kind = "aeiou" if what == "vowels" else "abcdefghijklmnopqrstuvwxyz"
    return Step(f"count {what}", lambda word: str(sum(letter in kind for letter in word)), 1.1)


def _blurred(word: str, chance: Random) -> str:
    """A number a little off, or a word with two neighbours swapped or a letter lost."""
    if word.isdigit():
        return str(misread(int(word), chance))
    unlike = [at for at in range(len(word) - 1) if word[at] != word[at + 1]]
    if not unlike:
        return word[1:]
    at = chance.choice(unlike)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
