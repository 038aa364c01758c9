"""A generated problem, and how its clauses become English."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True)
class GeneratedProblem:
    """One problem: its answer, and several complete phrasings of it, of very different lengths."""

    answer: str
    phrasings: tuple[str, ...]


def enumeration(clauses: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(clauses[:-1]), clauses[-1])))


def running_sentence(clauses: Sequence[str], rng: Random) -> str:
    """The clauses as one sentence, without its full stop: `do a, then do b, and finally do c`."""
    separators = rng.choice(((", ",), (", then ",), (", ", ", then "), ("; ",), (", and then ", ", ")))
    last_separator = rng.choice((", and finally ", ", then ", ", and ", "; last, "))
    text = clauses[0]
    for position, clause in enumerate(clauses[1:], start=2):
        text += (last_separator if position == len(clauses) else rng.choice(separators)) + clause
    return text


def sentences(clauses: Sequence[str], rng: Random) -> str:
    """The clauses as sentences of their own: `Do a. Then do b. Next, do c.`"""
    openers = rng.choice((("Then ", "Next, "), ("After that, ", "Then "), ("Now ", "Then "), ("",)))
    parts = [capitalised(clauses[0])]
    parts += [capitalised(rng.choice(openers) + clause) for clause in clauses[1:]]
    return ". ".join(parts) + "."


def terse(clauses: Sequence[str], rng: Random) -> str:
    """The clauses as somebody in a hurry types them."""
    return rng.choice((", ", "; ", " / ")).join(clauses)


def capitalised(text: str) -> str:
    """The text with its first letter in upper case, the others as they are."""
    return text[0].upper() + text[1:]
