"""Arithmetic: expressions, running calculations told in words, and shopping bills."""

from random import Random

from turnout.demo.tasks.posing import Posed, bare, chain, listing, sentences
from turnout.demo.tasks.vocabulary import PEOPLE, THINGS


def pose(steps: int, rng: Random) -> Posed:
    """A calculation of `steps` operations; the answer is a whole number, never negative."""
    return rng.choice((_expression, _running, _bill))(steps, rng)


def _expression(steps: int, rng: Random) -> Posed:
    text, value = _grown(steps, rng)
    if rng.random() < 0.5:
        text = text.replace("*", "×")
    return Posed(
        answer=str(value),
        tellings=(
            f"What is {text}?",
            f"{text} = ?",
            f"Calculate {text}.",
            f"Could you work out what {text} comes to?",
            f"I would like to know the value of {text}, please.",
            f"Evaluate the following expression for me: {text}.",
        ),
    )


def _grown(steps: int, rng: Random) -> tuple[str, int]:
    """An expression with `steps` operators, and its value."""
    value = rng.randint(3, 40)
    text, loose = str(value), False
    for _ in range(steps):
        operator = rng.choice("++-*" if value < 600 else "+--")
        if operator == "*":
            by = rng.randint(2, 6)
            inner = f"({text})" if loose else text
            text = f"{by} * {inner}" if rng.random() < 0.4 else f"{inner} * {by}"
            value, loose = value * by, False
        elif operator == "-" and value > 4:
            if rng.random() < 0.25:
                whole = value + rng.randint(2, 60)
                text, value = f"{whole} - {f'({text})' if loose else text}", whole - value
            else:
                less = rng.randint(2, min(value - 1, 70))
                text, value = f"{text} - {less}", value - less
            loose = True
        else:
            more = rng.randint(2, 70)
            text, value, loose = f"{text} + {more}", value + more, True
    return text, value


def _running(steps: int, rng: Random) -> Posed:
    start = rng.randint(3, 40)
    value, long, short = start, [], []
    for _ in range(steps):
        value, told, noted = _operation(value, rng)
        long.append(told)
        short.append(noted)
    ending = rng.choice(("What do I end up with?", "What is the result?", "Which number is it now?"))
    return Posed(
        answer=str(value),
        tellings=(
            f"Start with {start}. {sentences(long, rng)} {ending}",
            f"Take the number {start}, {chain(long, rng)}. {ending}",
            f"Think of the number {start}; {chain(short, rng)}. {ending}",
            f"Start with {start}: {bare(short, rng)}. Result?",
            f"If I start with {start} and {chain(long, rng)}, what comes out?",
        ),
    )


def _operation(value: int, rng: Random) -> tuple[int, str, str]:
    """The next value, and the operation in full and in short."""
    kind = rng.choice(("add", "add", "subtract", "subtract", "multiply", "double", "halve"))
    if kind == "subtract" and value > 5:
        less = rng.randint(2, min(value - 1, 60))
        return value - less, rng.choice((f"subtract {less}", f"take away {less} from it")), f"minus {less}"
    if kind == "multiply" and value < 300:
        by = rng.randint(3, 6)
        return value * by, rng.choice((f"multiply it by {by}", f"multiply the result by {by}")), f"times {by}"
    if kind == "double" and value < 800:
        return value * 2, "double it", "double"
    if kind == "halve" and value % 2 == 0 and value > 6:
        return value // 2, "halve it", "halve"
    more = rng.randint(2, 60)
    return value + more, rng.choice((f"add {more}", f"add {more} to it")), f"plus {more}"


def _bill(steps: int, rng: Random) -> Posed:
    """k articles take k multiplications and k - 1 additions; the change one subtraction more."""
    kinds, change = (steps + 1) // 2, steps % 2 == 0
    name = rng.choice(PEOPLE)
    lines = [(rng.randint(2, 9), thing, rng.randint(2, 12)) for thing in rng.sample(THINGS, kinds)]
    total = sum(count * price for count, _, price in lines)
    note = next(value for value in (20, 50, 100, 200, 500, 1000) if value > total)
    long = listing([f"{count} {thing} at {price} dollars each" for count, thing, price in lines])
    short = listing([f"{count} {thing} at ${price} each" for count, thing, price in lines])
    if change:
        return Posed(
            answer=str(note - total),
            tellings=(
                f"{name} buys {long} and pays with {note} dollars. How much change does {name} get?",
                f"{name} pays with ${note} for {short}. What is the change?",
                f"Buying {short}; a customer pays with ${note}. Change?",
            ),
        )
    return Posed(
        answer=str(total),
        tellings=(
            f"{name} buys {long}. How many dollars does {name} spend?",
            f"What do {short} cost in all?",
            f"{name} has {short} on the bill. What is the bill?",
        ),
    )
