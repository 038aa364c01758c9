"""Small logic: truth-tellers and liars, implications, and the smallest number that meets every condition."""

from collections.abc import Callable
from random import Random

from turnout.demo.tasks.posing import Posed, bare, listing
from turnout.demo.tasks.vocabulary import COLOURS, PEOPLE


def pose(steps: int, rng: Random) -> Posed:
    """`steps` inferences; the answer is a list of names or colours, or a number."""
    return rng.choice((_liars, _lamps, _conditions))(steps, rng)


def _links(start: str, names: list[str], rng: Random) -> tuple[dict[str, bool], list[tuple[str, str, bool]]]:
    """What holds of each name, and links from a known name to a new one: (from, to, to is as from)."""
    while True:
        holds, links = {start: rng.random() < 0.5}, []
        for known, new in zip([start, *names], names, strict=False):
            same = rng.random() < 0.5
            holds[new] = holds[known] == same
            links.append((known, new, same))
        if not all(holds.values()) and any(holds.values()):
            return holds, links


def _liars(steps: int, rng: Random) -> Posed:
    first, *rest = rng.sample(PEOPLE, steps + 1)
    honest, links = _links(first, rest, rng)
    if rng.random() < 0.4:
        rng.shuffle(links)
    verb = rng.choice(("says", "claims", "says that", "insists that"))
    long = [f"{who} {verb} {whom} {'is honest' if same else 'lies'}" for who, whom, same in links]
    short = [f"{who}: {whom} {'is honest' if same else 'lies'}" for who, whom, same in links]
    known = f"{first} {'is honest' if honest[first] else 'lies'}"
    liars = [name for name in honest if not honest[name]]
    answer, ending = ", ".join(liars), rng.choice(("Who are the liars?", "Who lies?", "Name those who lie."))
    if rng.random() < 0.2:
        answer, ending = str(len(liars)), "How many of them are liars?"
    rule = "Everyone is either honest, and then only says what is true, or lies every time."
    return Posed(
        answer=answer,
        tellings=(
            f"{rule} It is known that {known}. {'. '.join(long)}. {ending}",
            f"It is known that {known}. {', '.join(long)}. {ending}",
            f"Known: {known}. {bare(short, rng)}. {ending}",
            f"Each person is a liar or honest. Known: {known}. {listing(long)}. {ending}",
        ),
    )


def _lamps(steps: int, rng: Random) -> Posed:
    noun = rng.choice(("lamp", "light", "sign", "lantern"))
    first, *rest = rng.sample(COLOURS, steps + 1)
    lit, links = _links(first, rest, rng)
    if rng.random() < 0.4:
        rng.shuffle(links)
    state = {True: "on", False: "off"}
    long = [f"if the {one} {noun} is {state[lit[one]]}, the {two} {noun} is {state[lit[two]]}" for one, two, _ in links]
    short = [f"{one} {state[lit[one]]} -> {two} {state[lit[two]]}" for one, two, _ in links]
    fact = f"the {first} {noun} is {state[lit[first]]}"
    answer = ", ".join(colour for colour in lit if lit[colour])
    ending = f"Which {noun}s are on?"
    return Posed(
        answer=answer,
        tellings=(
            f"{'. '.join(rule[0].upper() + rule[1:] for rule in long)}. Given: {fact}. {ending}",
            f"Given: {fact}. We also know that {listing(long)}. {ending}",
            f"{bare(short, rng)}. Given: {fact}. {ending}",
            f"Given: {fact}. Rules: {bare(long, rng)}. {ending}",
        ),
    )


def _conditions(steps: int, rng: Random) -> Posed:
    """Every condition excludes the number that was the smallest before it, so that each one counts."""
    floor = rng.randint(5, 60)
    told, smallest = _excluding(floor, steps, rng)
    return Posed(
        answer=str(smallest),
        tellings=(
            f"What is the smallest whole number above {floor} that {listing(told)}?",
            f"A number is above {floor}. It {'. It '.join(told)}. What is the smallest it can be?",
            f"Smallest number above {floor} that {bare(told, rng)}?",
            f"I am looking for the smallest number above {floor} that {', and '.join(told)}. Which one is it?",
        ),
    )


def _excluding(floor: int, steps: int, rng: Random) -> tuple[list[str], int]:
    """`steps` conditions, and the smallest number that meets them all."""
    told: list[str] = []
    candidates = list(range(floor + 1, 1000))
    for _ in range(20 * steps):
        text, holds = rng.choice(_CONDITIONS)(candidates[0], rng)
        if holds(candidates[0]) or text in told:
            continue
        kept = [number for number in candidates if holds(number)]
        if len(kept) >= 20:
            told.append(text)
            candidates = kept
        if len(told) == steps:
            return told, candidates[0]
    return _excluding(floor, steps, rng)


_Condition = tuple[str, Callable[[int], bool]]


def _not_divisible(smallest: int, rng: Random) -> _Condition:
    by = rng.choice((2, 3, 4, 5, 6, 7, 9, 11))
    return f"is not divisible by {by}", lambda number: number % by != 0


def _divisible(smallest: int, rng: Random) -> _Condition:
    by = rng.choice((2, 3))
    return f"is divisible by {by}", lambda number: number % by == 0


def _not_ending(smallest: int, rng: Random) -> _Condition:
    digit = smallest % 10
    return f"does not end in {digit}", lambda number: number % 10 != digit


def _without_digit(smallest: int, rng: Random) -> _Condition:
    digit = rng.choice(str(smallest))
    return f"has no digit {digit}", lambda number: digit not in str(number)


def _digit_sum(smallest: int, rng: Random) -> _Condition:
    least = digits(smallest) + rng.randint(1, 3)
    return f"has a digit sum of at least {least}", lambda number: digits(number) >= least


def digits(number: int) -> int:
    """The sum of a number's digits."""
    return sum(int(digit) for digit in str(number))


_CONDITIONS = (_not_divisible, _not_divisible, _divisible, _not_ending, _not_ending, _without_digit, _digit_sum)
