"""What two alike questions differ in: the check that no similarity and no verifier can overrule.

An embedding puts "Paris to London" beside "London to Paris", and "enable" beside "disable". A pair passes only where
both say the same words in the same order, but for courtesy, case, sentence ends, neutral words and names of one thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from turnout.caching.semantic.lexicon import ACRONYMS, CLASSES, NEGATING, RANKED, ROMAN, SPELLING, Difference
from turnout.caching.semantic.words import Question

# Of words that a question may be learnt to say otherwise, and the letters of each.
MOST_SUBSTITUTED = 4
LONGEST_WORD = 40
# A word, and what stands for it in the questions of one group; "" for a word that says nothing there.
Substitutions = Mapping[str, str]
_NONE: Substitutions = {}


def find_difference(one: Question, other: Question, substitutions: Substitutions = _NONE) -> Difference | None:
    """The most telling kind of difference, or None where the two ask the same. substitutions: words that were found to
    say the same in these questions."""
    content, others = apply(one.content, substitutions), apply(other.content, substitutions)
    if one.code != other.code:
        return _kind_of(one.content, other.content) if _is_telling(content, others) else "code"
    if content == others:
        if one.auxiliaries and other.auxiliaries and one.auxiliaries != other.auxiliaries:
            # What does a cat like; what is a cat like.
            return "word"
        return "name" if _names_differ(one, other) else None
    if sorted(content) == sorted(others):
        return "order"
    kind = _kind_of(content, others)
    if kind == "word" and not SPELLING.isdisjoint(content):
        return "language"
    return "name" if kind == "word" and _is_named(one, other, content, others) else kind


def find_substitutions(one: Question, other: Question, known: Substitutions = _NONE) -> Substitutions | None:
    """By which words, none of a telling kind, the two differ and nothing else: each of `other`'s words, and that of
    `one` in its place. None where there is more to it, or nothing."""
    if find_difference(one, other, known) != "word":
        return None
    mine, others = apply(one.content, known), apply(other.content, known)
    pairs = _pairs(mine, others)
    words = [word for pair in pairs or () for word in pair if word]
    # Each word for one word.
    if pairs is None or len(pairs) > MOST_SUBSTITUTED or len(set(words)) != len(words):
        return None
    if any(len(word) > LONGEST_WORD for word in words):
        return None
    return dict(pairs)


def _pairs(mine: Sequence[str], others: Sequence[str]) -> set[tuple[str, str]] | None:
    """Each word that only `others` have and the one in its place, or "" for a word without one; None where more than
    such words differ."""
    both = {*mine} & {*others}
    pairs: set[tuple[str, str]] = set()
    at, there = 0, 0
    while at < len(mine) or there < len(others):
        one, other = _own(mine, at, both), _own(others, there, both)
        if len(one) == len(other):
            pairs.update(zip(other, one, strict=True))
        elif len(one) + len(other) == 1:
            pairs.add(((*one, *other)[0], ""))
        else:
            return None
        at, there = at + len(one), there + len(other)
        if mine[at : at + 1] != others[there : there + 1]:
            return None
        at, there = at + 1, there + 1
    return pairs


def _own(content: Sequence[str], start: int, both: Container[str]) -> Sequence[str]:
    """The words from `start` on up to the first of these."""
    end = start
    while end < len(content) and content[end] not in both:
        end += 1
    return content[start:end]


def apply(content: tuple[str, ...], substitutions: Substitutions) -> tuple[str, ...]:
    """The content with each word by what stands for it."""
    if not substitutions:
        return content
    return tuple(word for word in (substitutions.get(word, word) for word in content) if word)


def _is_telling(content: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return _kind_of(content, others) not in ("word", "opposite")


def _kind_of(content: Iterable[str], others: Iterable[str]) -> Difference:
    differing = _differing(content, others)
    kinds = {_class_of(word) for word in differing}
    if any(_is_opposite(word, differing) for word in differing):
        kinds.add("negation")
    return next((kind for kind in RANKED if kind in kinds), "word")


def _differing(content: Iterable[str], others: Iterable[str]) -> set[str]:
    count, other_count = Counter(content), Counter(others)
    return set(count - other_count) | set(other_count - count)


def _class_of(word: str) -> Difference:
    if any(letter.isdigit() for letter in word) or word in ROMAN:
        return "number"
    known = CLASSES.get(word)
    if known is not None:
        return known
    if not word[0].isalpha():
        return "code"
    # A letter alone is a name: of a vitamin, a grade, a variable.
    return "name" if len(word) == 1 else "word"


def _is_opposite(word: str, others: Container[str]) -> bool:
    """Whether a beginning or an end of it turns another one round: unmarried, nonfat, harmless."""
    if any(word.startswith(prefix) and word[len(prefix) :] in others for prefix in NEGATING):
        return True
    return word.endswith("less") and (word[:-4] in others or f"{word[:-4]}ful" in others)


def _names_differ(one: Question, other: Question) -> bool:
    """Whether a word is a name in one of them alone: "Turkey" is not "turkey", nor "the US" us."""
    telling = (one.names & other.plain) | (other.names & one.plain) | ((one.names ^ other.names) & ACRONYMS)
    return bool(telling & {*one.content})


def _is_named(one: Question, other: Question, content: Iterable[str], others: Iterable[str]) -> bool:
    return bool(_differing(content, others) & (one.names | other.names))
