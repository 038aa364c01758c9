"""Whether two answers say the same: what a check asks. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter

from turnout.caching.semantic.lexicon import CLASSES
from turnout.caching.semantic.words import LONGEST_TEXT, question_of

# Of answers in other words: the cosine of their vectors from which on they agree.
LEAST_SIMILARITY = 0.9
_TELLING = ("negation", "unit", "quantifier", "comparative", "time", "opposite")


def plain(text: str) -> tuple[str, ...]:
    """The answer's words, case and punctuation left out."""
    return tuple(word.strip(".,;:!?\"'`*_()[]") for word in text.casefold().split())


def digest(text: str) -> bytes:
    """16 bytes that stand for the answer's words."""
    return hashlib.blake2b(" ".join(plain(text)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def may_agree(one: str, other: str) -> bool:
    """Whether answers in other words can say the same at all: with the same numbers, negations and the like."""
    if max(len(one), len(other)) > LONGEST_TEXT or min(len(one), len(other)) * 2 < max(len(one), len(other)):
        return False
    return _telling(one) == _telling(other)


def _telling(text: str) -> Counter[str]:
    words = question_of(text).content
    return Counter(
        word
        for word in words
        if any(letter.isdigit() for letter in word)
        or CLASSES.get(word) in _TELLING[:2]
        or CLASSES.get(word) == "language"
    )
