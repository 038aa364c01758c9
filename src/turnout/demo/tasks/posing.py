"""What every family of tasks hands over, and how clauses become English."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True)
class Posed:
    """One problem: its answer, and several complete tellings of it, of very different lengths."""

    answer: str
    tellings: tuple[str, ...]


def listing(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def chain(parts: Sequence[str], rng: Random) -> str:
    """The clauses as one running sentence: `do a, then do b, and finally do c`."""
    usual = rng.choice(((", ",), (", then ",), (", ", ", then "), ("; ",), (", and then ", ", ")))
    last = rng.choice((", and finally ", ", then ", ", and ", "; last, "))
    text = parts[0]
    for place, part in enumerate(parts[1:], start=2):
        text += (last if place == len(parts) else rng.choice(usual)) + part
    return text


def sentences(parts: Sequence[str], rng: Random) -> str:
    """The clauses as sentences of their own: `Do a. Then do b. Next, do c.`"""
    openers = rng.choice((("Then ", "Next, "), ("After that, ", "Then "), ("Now ", "Then "), ("",)))
    told = [parts[0][0].upper() + parts[0][1:]]
    for part in parts[1:]:
        opener = rng.choice(openers)
        told.append(opener + part if opener else part[0].upper() + part[1:])
    return ". ".join(told) + "."


def bare(parts: Sequence[str], rng: Random) -> str:
    """The clauses as somebody in a hurry types them."""
    return rng.choice((", ", "; ", " / ")).join(parts)
