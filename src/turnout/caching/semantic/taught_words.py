"""Which words say the same in all of one user's questions, by what checks found in some of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from turnout.caching.semantic.differences import Substitutions
from turnout.caching.semantic.words import MOST_SKETCHED

# In so many of the user's questions, unlike each other and each with an answer of its own, two words must be found to
# say the same before they do in all of them: in one or two the words may not matter.
ENOUGH_QUESTIONS = 3
# Questions that share less than this of their words are unlike.
UNLIKE = 0.4
# Pairs of words, and words that are refused, of one user: a megabyte at most.
MOST_WORDS = 500


def are_unlike(one: bytes, other: bytes) -> bool:
    """Whether two questions, by their sketches, are of two things."""
    mine, others = _words_of(one), _words_of(other)
    # Of long questions the least of all hashes are a sample of both.
    sample = sorted(mine | others)[:MOST_SKETCHED]
    return len(mine & others & {*sample}) < UNLIKE * len(sample)


def _words_of(sketched: bytes) -> set[bytes]:
    return {sketched[at : at + 4] for at in range(0, len(sketched), 4)}


def join(pairs: Iterable[Iterable[str]], known: Substitutions | None = None) -> Substitutions:
    """What stands for each word, where the two of each pair say the same. known: such words, joined before."""
    parents = dict(known or {})

    def stands_for(word: str) -> str:
        while word in parents:
            word = parents[word]
        return word

    for pair in pairs:
        # "" is before all words: what says nothing in one place stands for nothing.
        stays, goes = sorted(map(stands_for, pair))
        if stays != goes:
            parents[goes] = stays
    return {word: stands_for(word) for word in parents}


@dataclass(slots=True)
class TaughtWords:
    """What one user's own questions have taught. words: each by what stands for it, "" where it says nothing."""

    words: Substitutions = field(default_factory=dict)
    # Of two words, or a word and "": the questions in which they said the same, by answer.
    _found: dict[frozenset[str], dict[bytes, bytes]] = field(default_factory=dict)
    _refused: dict[str, None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Pairs of words that are remembered, and words that are refused."""
        return len(self._found) + len(self._refused)

    def note(self, words: Substitutions, asked: bytes, answer: bytes) -> None:
        """Notes that in this question (a sketch), with this answer (a digest), these words say the same."""
        for pair in map(frozenset, words.items()):
            if pair & self._refused.keys():
                continue
            found = self._found.setdefault(pair, {})
            known = len(found) >= ENOUGH_QUESTIONS or answer in found
            if not known and all(are_unlike(asked, each) for each in found.values()):
                found[answer] = asked
                if len(found) == ENOUGH_QUESTIONS:
                    self._join()
        while len(self._found) > MOST_WORDS:
            del self._found[next(iter(self._found))]

    def refuse(self, words: Iterable[str]) -> None:
        """A question that differs in these words had another answer: they are learnt no more."""
        self._refused |= dict.fromkeys(words)
        while len(self._refused) > MOST_WORDS:
            del self._refused[next(iter(self._refused))]
        self._found = {pair: found for pair, found in self._found.items() if not pair & self._refused.keys()}
        self._join()

    def _join(self) -> None:
        self.words = join(pair for pair, found in self._found.items() if len(found) >= ENOUGH_QUESTIONS)
