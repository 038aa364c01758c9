"""Why a request scores as it does: what each sign added to its gain, under a name, the strongest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from turnout.routing.features import COUNTED, NAMES, Floats, describe, words_of

# Characters of a word that are shown.
LONGEST_WORD = 30


def strongest(parts: Mapping[str, float], count: int) -> list[str]:
    """`+0.120  name`, the strongest first; what rounds to nothing is no reason."""
    by_weight = sorted(parts.items(), key=lambda part: -abs(part[1]))[:count]
    rounded = [(f"{abs(weight):.3f}", "+" if weight > 0 else "-", name) for name, weight in by_weight]
    return [f"{sign}{weight}  {name}" for weight, sign, name in rounded if float(weight)]


def of_numbers(structure: Floats, added: Floats) -> Iterator[tuple[str, float]]:
    """Each number's name, counts with what they count to, and what it added. A share goes by the name of its count:
    the two are one sign."""
    values = dict(zip(NAMES, structure, strict=True))
    for name, part in zip(NAMES, added, strict=True):
        counted = name.replace("share of ", "count of ")
        yield f"{counted} ({describe(values[counted])})" if counted in COUNTED else name, float(part)


def of_words(folded: bytes, added: Floats) -> Iterator[tuple[str, float]]:
    """Each word's name and what it added, once for each time that it stands there. added: [words]."""
    for word, part in zip(words_of(folded), added, strict=True):
        yield named_word(word), float(part)


def named_word(word: bytes) -> str:
    """`the word 'prove'`: whatever a request holds, in printable characters on one line."""
    return f"the {'number' if word.isdigit() else 'word'} {quote_word(word)}"


def of_meaning(word: bytes) -> str:
    """What the words mean, and which of them the most; without any, that alone."""
    return f"{quote_word(word)} most of all in what its words mean" if word else "what its words mean"


def quote_word(word: bytes) -> str:
    """In quotes, cut where it is long."""
    text = word.decode("utf-8", "replace")
    return repr(text if len(text) <= LONGEST_WORD else f"{text[:LONGEST_WORD]}...")
