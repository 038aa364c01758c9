"""What two alike questions differ in: the check that no similarity and no verifier can overrule.

An embedding puts "Paris to London" beside "London to Paris", and "enable" beside "disable". A pair passes only where
both say the same words in the same order, but for courtesy, case, sentence ends, neutral words and names of one thing.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import pairwise

from turnout.caching.semantic.lexicon import ACRONYMS, CLASSES, NEGATING, OF_WORDS, RANKED, ROMAN, SPELLING, Difference
from turnout.caching.semantic.words import Question

# Of words that a question may be learnt to say otherwise, and the letters of each.
MOST_SUBSTITUTED = 4
LONGEST_WORD = 40
# Of words that differ in two letters and are near nevertheless.
LEAST_OF_NEAR = 6
# From here on letters are of scripts that do not part their words.
FIRST_UNPARTED = "\u2e80"
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
        if _names_differ(one, other):
            return "name"
        return "quantifier" if _articles_differ(one, other) else None
    if sorted(content) == sorted(others):
        return "order"
    kind = _kind_of(content, others)
    if kind == "word":
        kind = _kind_of_forms(content, others)
    if kind == "word" and (_is_of_words(content) or _is_of_words(others)):
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
    found = dict(pairs)
    return found if may_be_learnt(found) else None


def may_be_learnt(words: Substitutions) -> bool:
    """Whether these may be found to say the same: plain words, none of them long, and no two spelt nearly alike."""
    every = [word for pair in words.items() for word in pair if word]
    if any(len(word) > LONGEST_WORD or _class_of(word) != "word" for word in every):
        return False
    return not any(one and _is_near(one, other) for other, one in words.items())


def _is_near(one: str, other: str) -> bool:
    """Whether they are spelt nearly alike, which words of one meaning are not: nitrate and nitrite, child and children,
    hypertension and hypotension."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short):
        return True
    start = next(place for place, letter in enumerate(short) if letter != long[place])
    end = next(
        (place for place in range(len(short) - start) if short[-1 - place] != long[-1 - place]), len(short) - start
    )
    # What is left of the longer one between what both begin and end with.
    return len(long) - start - end <= (2 if len(short) >= LEAST_OF_NEAR else 1)


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


def _kind_of_forms(content: Sequence[str], others: Sequence[str]) -> Difference:
    """Of two texts that differ in plain words: whether only in the form, or in the places, of the same ones."""
    forms, other_forms = [_base(word) for word in content], [_base(word) for word in others]
    if forms == other_forms:
        # One planet, several planets.
        return "quantifier"
    if sorted(forms) == sorted(other_forms):
        return "order"
    if [_unaccented(word) for word in content] == [_unaccented(word) for word in others]:
        return "language"
    return "word"


def _base(word: str) -> str:
    """Without the end of a plural or a possessive."""
    word = word.removesuffix("'s")
    return word[:-1] if word.endswith("s") and len(word) > 3 else word


def _unaccented(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _is_of_words(content: Sequence[str]) -> bool:
    """Whether it asks about words: how one is spelt, or what one is in a language."""
    if not (SPELLING | OF_WORDS).isdisjoint(content):
        return True
    return any(place in ("in", "into") and CLASSES.get(after) == "language" for place, after in pairwise(content))


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
    if word[0] >= FIRST_UNPARTED:
        return "language"
    # A letter alone is a name: of a vitamin, a grade, a variable.
    return "name" if len(word) == 1 else "word"


def _is_opposite(word: str, others: Container[str]) -> bool:
    """Whether a beginning or an end of it turns another one round: unmarried, nonfat, harmless."""
    if any(word.startswith(prefix) and word[len(prefix) :] in others for prefix in NEGATING):
        return True
    return word.endswith("less") and (word[:-4] in others or f"{word[:-4]}ful" in others)


def _names_differ(one: Question, other: Question) -> bool:
    """Whether a word is a name in one of them alone: "Turkey" is not "turkey", nor "the US" us, nor Co (cobalt) CO."""
    telling = (one.names & other.plain) | (other.names & one.plain) | ((one.names ^ other.names) & ACRONYMS)
    short, others = one.short_names - other.short_names, other.short_names - one.short_names
    return bool(telling & {*one.content}) or not {*map(str.casefold, short)}.isdisjoint(map(str.casefold, others))


def _articles_differ(one: Question, other: Question) -> bool:
    """A contract is not the contract, nor Amazon the Amazon; that an article is left out tells nothing else."""
    swapped = (one.definite & other.indefinite) | (other.definite & one.indefinite)
    named = (one.definite ^ other.definite) & (one.names | other.names)
    return bool((swapped | named) & {*one.words} & {*other.words})


def _is_named(one: Question, other: Question, content: Iterable[str], others: Iterable[str]) -> bool:
    return bool(_differing(content, others) & (one.names | other.names))
