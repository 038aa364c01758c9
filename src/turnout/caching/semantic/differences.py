"""What two alike questions differ in: the check that no similarity and no verifier can overrule.

An embedding puts "Paris to London" beside "London to Paris", and "enable" beside "disable". A pair passes only where
both say the same words in the same order, but for courtesy, case, sentence ends, neutral words and names of one thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from turnout.caching.semantic.lexicon import CLASSES, RANKED, Difference
from turnout.caching.semantic.words import Question

# Of words that a question may be learnt to say otherwise.
MOST_SUBSTITUTED = 2
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
        return "name" if _names_differ(one, other) else None
    if sorted(content) == sorted(others):
        return "order"
    kind = _kind_of(content, others)
    return "name" if kind == "word" and _is_named(one, other, content, others) else kind


def find_substitutions(one: Question, other: Question, known: Substitutions = _NONE) -> Substitutions | None:
    """By which words, none of a telling kind, the two differ and nothing else: each of `other`'s words, and that of
    `one` in its place. None where there is more to it, or nothing."""
    if find_difference(one, other, known) != "word":
        return None
    mine, others = apply(one.content, known), apply(other.content, known)
    if len(mine) == len(others):
        pairs = {(theirs, ours) for ours, theirs in zip(mine, others, strict=True) if ours != theirs}
        both = {word for pair in pairs for word in pair}
        # Each word at one place, for one word.
        single = len(both) == 2 * len(pairs) <= 2 * MOST_SUBSTITUTED
        return dict(pairs) if single and not both & (set(mine) & set(others)) else None
    longer, shorter = (mine, others) if len(mine) > len(others) else (others, mine)
    added = list((Counter(longer) - Counter(shorter)).elements())
    if len(added) == 1 and tuple(word for word in longer if word != added[0]) == shorter:
        return {added[0]: ""}
    return None


def apply(content: tuple[str, ...], substitutions: Substitutions) -> tuple[str, ...]:
    """The content with each word by what stands for it."""
    if not substitutions:
        return content
    return tuple(word for word in (substitutions.get(word, word) for word in content) if word)


def _is_telling(content: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return _kind_of(content, others) not in ("word", "opposite")


def _kind_of(content: Iterable[str], others: Iterable[str]) -> Difference:
    kinds = {_class_of(word) for word in _differing(content, others)}
    return next((kind for kind in RANKED if kind in kinds), "word")


def _differing(content: Iterable[str], others: Iterable[str]) -> set[str]:
    count, other_count = Counter(content), Counter(others)
    return set(count - other_count) | set(other_count - count)


def _class_of(word: str) -> Difference:
    if any(letter.isdigit() for letter in word):
        return "number"
    known = CLASSES.get(word)
    if known is not None:
        return known
    if not word[0].isalpha():
        return "code"
    # A letter alone is a name: of a vitamin, a grade, a variable.
    return "name" if len(word) == 1 else "word"


def _names_differ(one: Question, other: Question) -> bool:
    """Whether a word is a name in one of them alone: "Turkey" is not "turkey"."""
    telling = (one.names & other.plain) | (other.names & one.plain)
    return bool(telling & {*one.content})


def _is_named(one: Question, other: Question, content: Iterable[str], others: Iterable[str]) -> bool:
    return bool(_differing(content, others) & (one.names | other.names))
