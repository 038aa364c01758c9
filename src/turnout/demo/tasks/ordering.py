"""Ordering: who comes where, worked out of comparisons of two."""

from itertools import pairwise
from random import Random

from turnout.demo.tasks.posing import Posed, bare, listing
from turnout.demo.tasks.vocabulary import ORDINALS, PEOPLE

# comparative and superlative of the one end, then of the other
SCALES = (
    ("taller", "tallest", "shorter", "shortest"),
    ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"),
    ("heavier", "heaviest", "lighter", "lightest"),
    ("stronger", "strongest", "weaker", "weakest"),
    ("richer", "richest", "poorer", "poorest"),
)


def pose(steps: int, rng: Random) -> Posed:
    """`steps` comparisons of neighbours on a scale; the answer is one name."""
    more, most, less, least = rng.choice(SCALES)
    order = rng.sample(PEOPLE, steps + 1)
    pairs = list(pairwise(order))
    rng.shuffle(pairs)
    long, short = [], []
    for above, below in pairs:
        turned = rng.random() < 0.4
        long.append(f"{below} is {less} than {above}" if turned else f"{above} is {more} than {below}")
        short.append(f"{below} < {above}" if turned else f"{above} > {below}")
    if rng.random() < 0.2:
        long.insert(rng.randrange(len(long) + 1), _beside_the_point(order, more, rng))
    answer, end = _asked(order, most, least, rng)
    return Posed(
        answer=answer,
        tellings=(
            f"{'. '.join(long)}. Who is the {end}?",
            f"{listing(long)}. Who is the {end}?",
            f"Given that {listing(long)}, who is the {end} of them?",
            f"Who is the {end} if {listing(long)}?",
            f"{bare(short, rng)} (> means {more}). Who is the {end}?",
        ),
    )


def _beside_the_point(order: list[str], more: str, rng: Random) -> str:
    """A comparison on another scale, which answers nothing."""
    other = rng.choice([scale for scale in SCALES if scale[0] != more])
    one, two = rng.sample(order, 2)
    return f"{one} is {other[rng.choice((0, 2))]} than {two}"


def _asked(order: list[str], most: str, least: str, rng: Random) -> tuple[str, str]:
    """The answer, and the place asked for: `tallest`, `third shortest`."""
    place = rng.randint(len(order) // 4, min(len(order), len(ORDINALS)) - 1)
    line, end = (order, most) if rng.random() < 0.5 else (order[::-1], least)
    return line[place], end if place == 0 else f"{ORDINALS[place]} {end}"
