"""Reads comparisons of two and the question who comes where."""

import re
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step

_SCALES = (
    ("taller", "tallest", "shorter", "shortest"),
    ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"),
    ("heavier", "heaviest", "lighter", "lightest"),
    ("stronger", "strongest", "weaker", "weakest"),
    ("richer", "richest", "poorer", "poorest"),
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_TOLD = re.compile(r"([A-Z][a-z]+) is ([a-z]+er) than ([A-Z][a-z]+)")
_NOTED = re.compile(r"([A-Z][a-z]+) ([<>]) ([A-Z][a-z]+)")
_MEANING = re.compile(r"> means ([a-z]+)")
_ASKED = re.compile(rf"who is the (?:({'|'.join(_ORDINALS)}) )?([a-z]+est)\b", re.IGNORECASE)

_Pairs = tuple[tuple[str, str], ...]  # known so far: the first of each pair stands above the second


def read(prompt: str) -> AnyProblem | None:
    """The ordering in a prompt, or None."""
    asked = _ASKED.search(prompt)
    scale = next((scale for scale in _SCALES if asked and asked[2].lower() in scale), None)
    if asked is None or scale is None:
        return None
    pairs = _compared(prompt, scale)
    if not pairs:
        return None
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    place = _ORDINALS.index(asked[1].lower()) if asked[1] else 0
    from_below = asked[2].lower() == scale[3]

    def answer(known: _Pairs) -> str:
        line = _line(names, known)
        return (line[::-1] if from_below else line)[min(place, len(line) - 1)]

    def blur(known: _Pairs, chance: Random) -> _Pairs:
        """One comparison read the wrong way round, if possible one that changes the answer."""
        turned = [(*known[:at], known[at][::-1], *known[at + 1 :]) for at in range(len(known))]
        telling = [pairs for pairs in turned if answer(pairs) != answer(known)]
        return chance.choice(telling or turned or [known])

    steps = tuple(_step(pair) for pair in pairs)
    return Problem(start=(), steps=steps, read=answer, blur=blur)


def _compared(prompt: str, scale: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """Pairs (above, below) on the scale that is asked about; others are beside the point."""
    more, _, less, _ = scale
    pairs = [(one, two) if by == more else (two, one) for one, by, two in _TOLD.findall(prompt) if by in (more, less)]
    meaning = _MEANING.search(prompt)
    for one, sign, two in _NOTED.findall(prompt) if meaning else ():
        pairs.append((one, two) if (sign == ">") == (meaning is not None and meaning[1] == more) else (two, one))
    return pairs


def _step(pair: tuple[str, str]) -> Step[_Pairs]:
    return Step(f"{pair[0]} > {pair[1]}", lambda known: (*known, pair))


def _line(names: tuple[str, ...], known: _Pairs) -> list[str]:
    """The names from top to bottom; where nothing is known, as they were mentioned."""
    line: list[str] = []
    waiting = list(names)
    while waiting:
        held = {below for above, below in known if above in waiting}
        chosen = next((name for name in waiting if name not in held), waiting[0])
        waiting.remove(chosen)
        line.append(chosen)
    return line
