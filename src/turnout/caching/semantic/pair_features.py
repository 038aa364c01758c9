"""The numbers by which the verifier judges a pair: how alike two questions are, and by what."""

from __future__ import annotations

from turnout.caching.semantic.differences import find_difference
from turnout.caching.semantic.words import Question

_QUESTION_WORDS = frozenset(
    {
        *("who", "what", "when", "where", "why", "which", "whose", "how", "is", "are", "do", "does", "did", "can"),
        *("could", "should", "will"),
    }
)

FEATURES = (
    "similarity", "similarity_squared", "margin", "content_overlap", "content_contained", "word_overlap",
    "pair_overlap",
    "trigram_overlap", "same_content", "same_opening", "same_end", "length_ratio", "length_difference", "only_here",
    "only_there", "telling_difference", "similarity_by_overlap", "similarity_by_trigrams", "short",
)  # fmt: skip


def pair_features(one: Question, other: Question, similarity: float, margin: float) -> list[float]:
    """The features in the order of FEATURES, each finite. similarity: the cosine of the two questions' vectors. margin:
    by how much it is above that of the second nearest question."""
    mine, theirs = {*one.content}, {*other.content}
    difference = find_difference(one, other)
    content, trigrams = _overlap(mine, theirs), _overlap(_trigrams(one), _trigrams(other))
    length, other_length = len(one.content), len(other.content)
    return [
        similarity,
        similarity * abs(similarity),
        max(-1.0, min(1.0, margin)),
        content,
        len(mine & theirs) / max(1, min(len(mine), len(theirs))),
        _overlap({*one.words}, {*other.words}),
        _overlap(
            {*zip(one.content, one.content[1:], strict=False)}, {*zip(other.content, other.content[1:], strict=False)}
        ),
        trigrams,
        float(difference is None),
        float(_opening(one) == _opening(other)),
        float(one.content[-1:] == other.content[-1:]),
        min(length, other_length) / max(1, length, other_length),
        min(10, abs(length - other_length)) / 10,
        min(5, len(mine - theirs)) / 5,
        min(5, len(theirs - mine)) / 5,
        float(difference not in (None, "word")),
        similarity * content,
        similarity * trigrams,
        1 / max(1, min(length, other_length)),
    ]


def _overlap(
    one: set[object] | set[str] | set[tuple[str, str]], other: set[object] | set[str] | set[tuple[str, str]]
) -> float:
    both = len(one | other)
    return len(one & other) / both if both else 1.0


def _trigrams(question: Question) -> set[str]:
    text = " ".join(question.content)[:200]
    return {text[place : place + 3] for place in range(max(1, len(text) - 2))}


def _opening(question: Question) -> str:
    return next((word for word in question.words if word in _QUESTION_WORDS), "")
