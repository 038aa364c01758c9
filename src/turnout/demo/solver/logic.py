"""Parses truth-tellers and liars, and comparisons of two with the question who comes where."""

import re
from random import Random

from turnout.demo.solver.problem import AnyProblem, Problem, Step

_CLAIM = re.compile(r"([A-Z][a-z]+)(?::| says| claims| insists)(?: that)? ([A-Z][a-z]+) (is honest|lies)")
_KNOWN = re.compile(r"known(?: that|:) ([A-Z][a-z]+) (is honest|lies)", re.IGNORECASE)
_WHO_LIES = re.compile(r"who are the liars|who lies|name those who lie", re.IGNORECASE)
_HOW_MANY_LIE = re.compile(r"how many of them (?:are liars|lie)", re.IGNORECASE)

_SCALES = (
    ("taller", "tallest", "shorter", "shortest"),
    ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"),
    ("heavier", "heaviest", "lighter", "lightest"),
    ("richer", "richest", "poorer", "poorest"),
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_COMPARISON = re.compile(r"([A-Z][a-z]+) is ([a-z]+er) than ([A-Z][a-z]+)")
_SIGN_COMPARISON = re.compile(r"([A-Z][a-z]+) ([<>]) ([A-Z][a-z]+)")
_SIGN_MEANING = re.compile(r"> means ([a-z]+)")
_PLACE = re.compile(rf"who is the (?:({'|'.join(_ORDINALS)}) )?([a-z]+est)\b", re.IGNORECASE)

_Honesty = dict[str, bool]  # name -> is honest, as far as known
_Pairs = tuple[tuple[str, str], ...]  # known so far: the first of each pair stands above the second


def parse(prompt: str) -> AnyProblem | None:
    """The inferences in a prompt, or None."""
    return _liars(prompt) or _ordering(prompt)


def _liars(prompt: str) -> AnyProblem | None:
    known, counted = _KNOWN.search(prompt), _HOW_MANY_LIE.search(prompt)
    steps = [_claim(*claim) for claim in _CLAIM.findall(prompt) if claim[0] != "Known"]
    if known is None or not steps or not (counted or _WHO_LIES.search(prompt)):
        return None

    def answer(honesty: _Honesty) -> str:
        liars = [name for name, honest in honesty.items() if not honest]
        return str(len(liars)) if counted else ", ".join(liars) or "nobody"

    start = {known[1]: known[2] == "is honest"}
    return Problem(start=start, steps=tuple(steps), answer=answer, distort=_one_flipped)


def _claim(who: str, whom: str, predicate: str) -> Step[_Honesty]:
    says_honest = predicate == "is honest"
    return Step(f"{who} on {whom}", lambda honesty: honesty | {whom: honesty.get(who, True) == says_honest})


def _one_flipped(honesty: _Honesty, rng: Random) -> _Honesty:
    name = rng.choice(list(honesty))
    return honesty | {name: not honesty[name]}


def _ordering(prompt: str) -> AnyProblem | None:
    place = _PLACE.search(prompt)
    scale = next((scale for scale in _SCALES if place and place[2].lower() in scale), None)
    pairs = _compared_pairs(prompt, scale) if scale else []
    if place is None or scale is None or not pairs:
        return None
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    index = _ORDINALS.index(place[1].lower()) if place[1] else 0
    from_bottom = place[2].lower() == scale[3]

    def answer(known: _Pairs) -> str:
        order = _sorted_names(names, known)
        return (order[::-1] if from_bottom else order)[min(index, len(order) - 1)]

    def distort(known: _Pairs, rng: Random) -> _Pairs:
        """One comparison read the wrong way round, if possible one that changes the answer."""
        reversals = [(*known[:at], known[at][::-1], *known[at + 1 :]) for at in range(len(known))]
        changing = [pairs for pairs in reversals if answer(pairs) != answer(known)]
        return rng.choice(changing or reversals or [known])

    steps = tuple(_comparison(pair) for pair in pairs)
    return Problem(start=(), steps=steps, answer=answer, distort=distort)


def _compared_pairs(prompt: str, scale: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """Pairs (above, below) on the scale of the question."""
    more, _, less, _ = scale
    worded = [(one, two) if by == more else (two, one) for one, by, two in _COMPARISON.findall(prompt) if by in scale]
    meaning = _SIGN_MEANING.search(prompt)
    if meaning is None or meaning[1] not in (more, less):
        return worded
    above = ">" if meaning[1] == more else "<"
    return worded + [(one, two) if sign == above else (two, one) for one, sign, two in _SIGN_COMPARISON.findall(prompt)]


def _comparison(pair: tuple[str, str]) -> Step[_Pairs]:
    return Step(f"{pair[0]} > {pair[1]}", lambda known: (*known, pair))


def _sorted_names(names: tuple[str, ...], known: _Pairs) -> list[str]:
    """The names from top to bottom; where nothing is known, as they were mentioned."""
    order: list[str] = []
    remaining = list(names)
    while remaining:
        below_others = {below for above, below in known if above in remaining}
        name = next((name for name in remaining if name not in below_others), remaining[0])
        remaining.remove(name)
        order.append(name)
    return order
