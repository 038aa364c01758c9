"""Reads truth-tellers and liars, implications, and conditions on a number."""

import re
from collections.abc import Callable
from random import Random

from turnout.demo.solving.problem import AnyProblem, Problem, Step

_SAYS = re.compile(r"([A-Z][a-z]+)(?::| says| claims| insists)(?: that)? ([A-Z][a-z]+) (is honest|lies)")
_KNOWN = re.compile(r"known(?: that|:) ([A-Z][a-z]+) (is honest|lies)", re.IGNORECASE)
_WHO_LIES = re.compile(r"who are the liars|who lies|name those who lie", re.IGNORECASE)
_HOW_MANY_LIE = re.compile(r"how many of them (?:are liars|lie)", re.IGNORECASE)
_IF = re.compile(r"if the (\w+) \w+ is (on|off),? (?:then )?the (\w+) \w+ is (on|off)", re.IGNORECASE)
_ARROW = re.compile(r"(\w+) (on|off) -> (\w+) (on|off)", re.IGNORECASE)
_GIVEN = re.compile(r"given: the (\w+) \w+ is (on|off)", re.IGNORECASE)
_FLOOR = re.compile(r"above (\d{1,6})\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"(is not divisible by|is divisible by|does not end in|has no digit|has a digit sum of at least) (\d{1,4})"
)
_REACH = 3000  # how far above its floor a number is looked for

_Facts = dict[str, bool]
_Link = tuple[str, bool, str, bool]  # where the first is so, the second is so


def read(prompt: str) -> AnyProblem | None:
    """The inferences in a prompt, or None."""
    return _liars(prompt) or _lamps(prompt) or _conditions(prompt)


def _liars(prompt: str) -> AnyProblem | None:
    known = _KNOWN.search(prompt)
    counted = _HOW_MANY_LIE.search(prompt)
    if known is None or not (counted or _WHO_LIES.search(prompt)):
        return None
    said = [(who, whom, how == "is honest") for who, whom, how in _SAYS.findall(prompt) if who != "Known"]
    facts = {known[1]: known[2] == "is honest"}
    steps = [_statement(*said[at]) for at in _order([(who, whom) for who, whom, _ in said], known[1])]

    def answer(honest: _Facts) -> str:
        liars = [name for name, is_honest in honest.items() if not is_honest]
        return str(len(liars)) if counted else ", ".join(liars) or "nobody"

    return Problem(start=facts, steps=tuple(steps), read=answer, blur=_turned) if steps else None


def _statement(who: str, whom: str, honest: bool) -> Step[_Facts]:
    return Step(f"{who} on {whom}", lambda facts: facts | {whom: facts.get(who, True) == honest})


def _order(links: list[tuple[str, str]], known: str) -> list[int]:
    """The links' places in an order in which each starts from something known."""
    reached, order = {known}, list[int]()
    waiting = list(range(len(links)))
    while ready := [at for at in waiting if links[at][0] in reached]:
        order.append(ready[0])
        waiting.remove(ready[0])
        reached.add(links[ready[0]][1])
    return order


def _turned(facts: _Facts, chance: Random) -> _Facts:
    name = chance.choice(list(facts))
    return facts | {name: not facts[name]}


def _lamps(prompt: str) -> AnyProblem | None:
    given = _GIVEN.search(prompt)
    found = [tuple(map(str.lower, rule)) for rule in _IF.findall(prompt) or _ARROW.findall(prompt)]
    if given is None or not found:
        return None
    first = given[1].lower()
    order = _order([(rule[0], rule[2]) for rule in found], first)
    steps = [_rule(found[at][0], found[at][1] == "on", found[at][2], found[at][3] == "on") for at in order]
    facts = {first: given[2].lower() == "on"}
    return Problem(start=facts, steps=tuple(steps), read=_lit, blur=_turned) if steps else None


def _rule(one: str, is_so: bool, two: str, then_so: bool) -> Step[_Facts]:
    return Step(f"{one} so {two}", lambda facts: facts | {two: then_so} if facts.get(one) is is_so else facts)


def _lit(facts: _Facts) -> str:
    return ", ".join(colour for colour, lit in facts.items() if lit) or "none"


_Tests = tuple[Callable[[int], bool], ...]


def _conditions(prompt: str) -> AnyProblem | None:
    floor = _FLOOR.search(prompt)
    found = _CONDITION.findall(prompt)
    if floor is None or not found or "smallest" not in prompt.lower():
        return None
    lowest = int(floor[1]) + 1

    def smallest(tests: _Tests) -> str:
        candidates = range(lowest, lowest + _REACH)
        return str(next((number for number in candidates if all(test(number) for test in tests)), "none"))

    def blur(tests: _Tests, chance: Random) -> _Tests:
        """The right number overlooked, and the next one taken."""
        right = smallest(tests)
        return (*tests, lambda number: str(number) != right)

    steps = tuple(Step(f"{_short(name)} {by}", _adding(_test(name, int(by)))) for name, by in found)
    return Problem(start=(), steps=steps, read=smallest, blur=blur)


def _adding(test: Callable[[int], bool]) -> Callable[[_Tests], _Tests]:
    return lambda tests: (*tests, test)


def _short(name: str) -> str:
    return name.removeprefix("is ").replace("has a digit sum of at least", "digit sum from")


def _test(name: str, by: int) -> Callable[[int], bool]:
    return {
        "is not divisible by": lambda number: number % (by or 1) != 0,
        "is divisible by": lambda number: number % (by or 1) == 0,
        "does not end in": lambda number: not str(number).endswith(str(by)),
        "has no digit": lambda number: str(by) not in str(number),
        "has a digit sum of at least": lambda number: sum(map(int, str(number))) >= by,
    }[name]
