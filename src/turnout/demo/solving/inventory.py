"""Reads stocks that change, things that change hands, and a coin under moving cups."""

import re
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step, misread, question_after

_STOCK = re.compile(r"the [a-z]+ has (\d{1,9}) ([a-z]+)", re.IGNORECASE)
_STOCK_ASKED = re.compile(r"how many ([a-z]+) are there now", re.IGNORECASE)
_CHANGED = re.compile(
    r"[A-Z][a-z]+ (?:(brings|adds|returns|delivers|donates)|takes|borrows|removes|sells|breaks) (\d{1,9}) ([a-z]+)"
)
_NOTED = re.compile(r"([-+])(\d{1,9}) ([a-z]+)")
_OWNS = re.compile(r"([A-Z][a-z]+) has (\d{1,9}) ([a-z]+)")
_OWNER_ASKED = re.compile(r"how many ([a-z]+) does ([A-Z][a-z]+) have", re.IGNORECASE)
_GIVES = re.compile(r"([A-Z][a-z]+) gives (\d{1,9}) to ([A-Z][a-z]+)")
_GIFT = re.compile(r"([A-Z][a-z]+) > ([A-Z][a-z]+) (\d{1,9})")
_UNDER = re.compile(r"is under cup ([A-Z])\b")
_SWAPPED = re.compile(r"\b([A-Z]) and ([A-Z])\b")


def read(prompt: str) -> AnyProblem | None:
    """What is to be kept track of in a prompt, or None."""
    return _stock(prompt) or _hands(prompt) or _cups(prompt)


def _stock(prompt: str) -> AnyProblem | None:
    asked = _STOCK_ASKED.search(prompt)
    starts = {thing: int(count) for count, thing in _STOCK.findall(prompt)}
    if asked is None or asked[1] not in starts:
        return None
    found = [("+" if more else "-", count, thing) for more, count, thing in _CHANGED.findall(prompt)]
    found = found or _NOTED.findall(prompt)
    steps = [_change(int(sign + count)) for sign, count, thing in found if thing == asked[1]]
    if not steps:
        return None
    return Problem(start=starts[asked[1]], steps=tuple(steps), read=str, blur=misread, shows=str)


def _change(by: int) -> Step[int]:
    return Step(f"{by:+d}", lambda count: count + by)


_Owned = dict[str, int]


def _hands(prompt: str) -> AnyProblem | None:
    asked = _OWNER_ASKED.search(prompt)
    owned = {name: int(count) for name, count, _ in _OWNS.findall(prompt)}
    if asked is None or asked[2] not in owned:
        return None
    gifts = [(giver, taker, int(count)) for giver, count, taker in _GIVES.findall(prompt)]
    gifts = gifts or [(giver, taker, int(count)) for giver, taker, count in _GIFT.findall(prompt)]
    owner = asked[2]

    def blur(state: _Owned, chance: Random) -> _Owned:
        return state | {owner: misread(state[owner], chance)}

    def count(state: _Owned) -> str:
        return str(state[owner])

    steps = tuple(_gift(*gift) for gift in gifts)
    return Problem(start=owned, steps=steps, read=count, blur=blur, shows=count) if steps else None


def _gift(giver: str, taker: str, count: int) -> Step[_Owned]:
    def apply(owned: _Owned) -> _Owned:
        return owned | {giver: owned.get(giver, 0) - count, taker: owned.get(taker, 0) + count}

    return Step(f"{giver} {count} to {taker}", apply)


def _cups(prompt: str) -> AnyProblem | None:
    start = _UNDER.search(prompt)
    if start is None:
        return None
    swaps = _SWAPPED.findall(question_after(prompt, start.end()))
    cups: list[str] = sorted({start[1], *(cup for swap in swaps for cup in swap)})

    def blur(at: str, chance: Random) -> str:
        return chance.choice([cup for cup in cups if cup != at] or [at])

    steps = tuple(_swap(one, two) for one, two in swaps)
    return Problem(start=start[1], steps=steps, read=str, blur=blur, shows=str) if steps else None


def _swap(one: str, two: str) -> Step[str]:
    return Step(f"{one} and {two}", lambda at: {one: two, two: one}.get(at, at))
