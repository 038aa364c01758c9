"""Keeping track: a stock that people add to and take from, hand-overs, and a coin under moving cups."""

from random import Random

from turnout.demo.tasks.posing import Posed, bare, chain, listing, sentences
from turnout.demo.tasks.vocabulary import PEOPLE, PLACES, THINGS

MORE = ("brings", "adds", "returns", "delivers", "donates")
LESS = ("takes", "borrows", "removes", "sells", "breaks")


def pose(steps: int, rng: Random) -> Posed:
    """`steps` changes of a state; the answer is a number or a cup's letter."""
    return rng.choice((_stock, _stock, _hands, _cups))(steps, rng)


def _stock(steps: int, rng: Random) -> Posed:
    thing, other = rng.sample(THINGS, 2)
    place = rng.choice(PLACES)
    start = count = rng.randint(8, 60)
    events, short = [], []
    for _ in range(steps):
        less = count > 6 and rng.random() < 0.5
        change = rng.randint(2, min(count - 1, 30) if less else 30)
        count += -change if less else change
        events.append(f"{rng.choice(PEOPLE)} {rng.choice(LESS if less else MORE)} {change} {thing}")
        short.append(f"{'-' if less else '+'}{change} {thing}")
    if rng.random() < 0.2:
        for _ in range(rng.randint(1, 3)):
            aside = f"{rng.choice(PEOPLE)} {rng.choice(LESS + MORE)} {rng.randint(2, 9)} {other}"
            events.insert(rng.randrange(len(events) + 1), aside)
    ending = f"How many {thing} are there now?"
    return Posed(
        answer=str(count),
        tellings=(
            f"The {place} has {start} {thing}. {sentences(events, rng)} {ending}",
            f"At first the {place} has {start} {thing}. {chain(events, rng)}. {ending}",
            f"The {place} has {start} {thing}: {bare(short, rng)}. {ending}",
            f"The {place} has {start} {thing}; {listing(events)}. {ending}",
        ),
    )


def _hands(steps: int, rng: Random) -> Posed:
    thing = rng.choice(THINGS)
    names = rng.sample(PEOPLE, rng.choice((2, 3, 3)))
    owned = {name: rng.randint(5, 20) for name in names}
    starts = listing([f"{name} has {count} {thing}" for name, count in owned.items()])
    asked = rng.choice(names)
    long, short = [], []
    for _ in range(steps):
        others = [name for name in names if name != asked]
        able = [name for name in others if owned[name] > 1]
        gives = owned[asked] > 3 and (not able or rng.random() < 0.5)
        giver, taker = (asked, rng.choice(others)) if gives else (rng.choice(able), asked)
        count = rng.randint(1, min(owned[giver] - 1, 6))
        owned[giver] -= count
        owned[taker] += count
        long.append(f"{giver} gives {count} to {taker}")
        short.append(f"{giver} > {taker} {count}")
    ending = f"How many {thing} does {asked} have?"
    return Posed(
        answer=str(owned[asked]),
        tellings=(
            f"{starts}. {sentences(long, rng)} {ending}",
            f"{starts}. {chain(long, rng)}. {ending}",
            f"{starts}. {bare(short, rng)} ({names[0]} > {names[1]} is a gift). {ending}",
            f"At first {starts}, but {listing(long)}. {ending}",
        ),
    )


def _cups(steps: int, rng: Random) -> Posed:
    cups = "ABCDE"[: rng.choice((3, 4, 5))]
    thing = rng.choice(("coin", "pea", "marble", "ring", "die"))
    start = at = rng.choice(cups)
    swaps = []
    for _ in range(steps):
        other = rng.choice([cup for cup in cups if cup != at])
        pair = [at, other]
        rng.shuffle(pair)
        swaps.append(f"{pair[0]} and {pair[1]}")
        at = other
    ending = rng.choice((f"Under which cup is the {thing}?", f"Which cup hides the {thing}?"))
    told = [f"swap cups {swap}" for swap in swaps]
    return Posed(
        answer=at,
        tellings=(
            f"The {thing} is under cup {start}. {sentences(told, rng)} {ending}",
            f"The {thing} is under cup {start}; {chain(told, rng)}. {ending}",
            f"The {thing} is under cup {start}. Swap {bare(swaps, rng)}. {ending}",
            f"There are cups {listing(list(cups))}. The {thing} is under cup {start}. {sentences(told, rng)} {ending}",
        ),
    )
