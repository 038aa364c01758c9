"""Sequences: rules that make the next term, letters defined one by another, sums, and "what comes next"."""

from random import Random

from turnout.demo.tasks.posing import Posed, bare, listing
from turnout.demo.tasks.vocabulary import ordinal


def pose(steps: int, rng: Random) -> Posed:
    """A sequence that takes `steps` steps to follow; the answer is a whole number, perhaps negative."""
    forms = [_letters] * 6 + [_sum] * 4 + [_rule] + ([_next] * 2 if steps <= 2 else [_pairs])
    return rng.choice(forms)(steps, rng)


def _letters(steps: int, rng: Random) -> Posed:
    """a = 4, b = a + 3, c = 2 * b, ...: each letter needs the ones before it."""
    names = "abcdefghijklm"[: steps + 1]
    values = [rng.randint(2, 20)]
    long, short = [f"{names[0]} is {values[0]}"], [f"{names[0]} = {values[0]}"]
    for place in range(1, steps + 1):
        value, told, noted = _defined(names, values, rng)
        values.append(value)
        long.append(f"{names[place]} is {told}")
        short.append(f"{names[place]} = {noted}")
    ending = f"What is {names[steps]}?"
    return Posed(
        answer=str(values[-1]),
        tellings=(
            f"Letters stand for numbers: {listing(long)}. {ending}",
            f"Letters stand for numbers: {bare(short, rng)}. {ending}",
            f"Let {listing(long).replace(' is ', ' be ')}. {ending}",
            f"Let {bare(short, rng)}. {ending}",
        ),
    )


def _defined(names: str, values: list[int], rng: Random) -> tuple[int, str, str]:
    """The next letter's value, told in full and in short."""
    last, name = values[-1], names[len(values) - 1]
    if len(values) > 1 and abs(last) < 400 and rng.random() < 0.3:
        other = rng.randrange(len(values) - 1)
        return last + values[other], f"{name} plus {names[other]}", f"{name} + {names[other]}"
    if abs(last) < 200 and rng.random() < 0.3:
        by = rng.randint(2, 4)
        return last * by, f"{name} times {by}", f"{name} * {by}"
    by = rng.randint(2, 30)
    if rng.random() < 0.5:
        return last + by, f"{name} plus {by}", f"{name} + {by}"
    return last - by, f"{name} minus {by}", f"{name} - {by}"


def _sum(steps: int, rng: Random) -> Posed:
    numbers = [rng.randint(3, 60) for _ in range(steps + 1)]
    text = ", ".join(map(str, numbers))
    return Posed(
        answer=str(sum(numbers)),
        tellings=(
            f"What do the numbers {text} add up to?",
            f"Sum of the numbers {text}?",
            f"My list has the numbers {text} on it. What is their sum?",
            f"Please add up the numbers {text} for me. What is the sum?",
        ),
    )


def _rule(steps: int, rng: Random) -> Posed:
    """How many steps it takes stands in one word only: which term is asked for."""
    start, by, more = rng.randint(1, 6), rng.choice((1, 1, 2) if steps > 8 else (1, 2, 2, 3)), rng.randint(1, 9)
    term = start
    for _ in range(steps):
        term = term * by + more
    times = {1: "", 2: "double ", 3: "three times "}[by]
    asked = f"{ordinal(steps + 1)} term"
    return Posed(
        answer=str(term),
        tellings=(
            f"A sequence starts with {start}. Each term is {times}the one before plus {more}. What is the {asked}?",
            f"What is the {asked} of the sequence that starts with {start}, where each term is {times}the one "
            f"before plus {more}?",
            f"Sequence: starts with {start}, each term is {times}the one before plus {more}. The {asked}?",
        ),
    )


def _pairs(steps: int, rng: Random) -> Posed:
    first, second = rng.randint(1, 6), rng.randint(1, 9)
    before, last = first, second
    for _ in range(steps):
        before, last = last, before + last
    asked = f"{ordinal(steps + 2)} term"
    rule = "each term is the sum of the two before"
    return Posed(
        answer=str(last),
        tellings=(
            f"A sequence starts with {first} and {second}, and from there {rule}. What is the {asked}?",
            f"Sequence: starts with {first} and {second}, {rule}. The {asked}?",
            f"What is the {asked} of a sequence that starts with {first} and {second} if {rule}?",
        ),
    )


def _next(steps: int, rng: Random) -> Posed:
    """Many numbers, little to do: one difference to see, or a difference that grows."""
    term, gap, growth = rng.randint(1, 30), rng.randint(2, 12), rng.randint(1, 4) if steps == 2 else 0
    terms = []
    for _ in range(rng.randint(5, 9)):
        terms.append(term)
        term, gap = term + gap, gap + growth
    text = ", ".join(map(str, terms))
    return Posed(
        answer=str(term),
        tellings=(
            f"What comes next: {text}?",
            f"Which number comes next in {text}?",
            f"Somebody wrote {text} on the board. Which number comes next?",
        ),
    )
