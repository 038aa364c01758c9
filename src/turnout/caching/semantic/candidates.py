"""Which stored answer might serve a question, and what checks have taught about that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from turnout.caching.semantic.differences import Substitutions, find_difference, find_substitutions
from turnout.caching.semantic.pair_features import pair_features
from turnout.caching.semantic.promise import LEVELS
from turnout.caching.semantic.taught_words import TaughtWords, are_unlike
from turnout.caching.semantic.verifier import PairVerifier
from turnout.caching.semantic.words import Question, question_of
from turnout.context import ANONYMOUS, user_key
from turnout.ports.semantic import Neighbour, SemanticEntry

NEIGHBOURS = 8
# Below it, the answers of a pair that differs in a word are not compared: nearly all of them differ.
LEAST_COMPARED = 0.3
# What was learnt to say the same is never above the last level.
LEARNT = LEVELS[-1]
# An answer that so many questions got which are unlike each other says nothing about any of them.
TELLS_NOTHING = 3
MOST_REMEMBERED = 100_000
# Users with words of their own.
MOST_TAUGHT = 1_000
# All anonymous callers: what one of them was taught is nothing for another.
NOBODY = user_key(ANONYMOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarCandidate:
    """A stored answer for a question. probability: that it serves, by the verifier. learnable: by which words the pair
    differs, where it may be compared but not served; None for a would-be hit."""

    entry: SemanticEntry
    question: Question
    similarity: float
    probability: float
    learnable: Substitutions | None = None


@dataclass(slots=True)
class _Group:
    """Questions that checks found to have one answer. words: each by what stands for it. answer: a digest. users: whose
    questions they were."""

    words: dict[str, str]
    answer: bytes
    users: set[str]

    def learn(self, words: Substitutions) -> None:
        """Counts these words as one, and what stood for them too."""
        self.words = {word: words.get(other, other) for word, other in self.words.items()} | dict(words)


class Candidates:
    """Judges pairs. Remembers, bounded, which words say the same in one group of questions, and which pairs a check or
    a rating found wrong. learns: whether checks that agree teach words."""

    def __init__(self, verifier: PairVerifier, *, learns: bool = True) -> None:
        self._verifier = verifier
        self._learns = learns
        # By scope and content.
        self._groups: OrderedDict[tuple[bytes, tuple[str, ...]], _Group] = OrderedDict()
        # By an answer's digest: hashes of the words of questions that got it, each unlike the others.
        self._askers: OrderedDict[bytes, list[frozenset[int]]] = OrderedDict()
        # By scope and user: what his own questions have taught him.
        self._taught: OrderedDict[tuple[bytes, str], TaughtWords] = OrderedDict()
        # By scope and both contents: whose questions they were.
        self._wrong: OrderedDict[tuple[bytes, tuple[str, ...], tuple[str, ...]], frozenset[str]] = OrderedDict()

    def judge(
        self, question: Question, scope: bytes, neighbours: Sequence[Neighbour], user: str
    ) -> SimilarCandidate | None:
        """The most probable would-be hit among these, the nearest first; else the pair to learn from, if any. user: who
        asks, a `user_key`."""
        learnable = None
        best: SimilarCandidate | None = None
        for neighbour in neighbours:
            entry, other = neighbour.entry, question_of(neighbour.entry.question)
            if (scope, other.content, question.content) in self._wrong:
                continue
            known = self._known(scope, other, user)
            difference = find_difference(other, question, known)
            if difference not in (None, "word"):
                continue
            margin = neighbour.similarity - self._second(neighbour, other, neighbours)
            if difference is None:
                probability = self._probability(other, question, neighbour.similarity, margin)
                if probability >= LEVELS[-1] and (best is None or probability > best.probability):
                    best = SimilarCandidate(
                        entry=entry, question=question, similarity=neighbour.similarity, probability=probability
                    )
            elif self._learns and learnable is None and (words := find_substitutions(other, question, known)):
                features = pair_features(other, question, neighbour.similarity, margin)
                if (probability := self._verifier.probability(features)) >= LEAST_COMPARED:
                    learnable = SimilarCandidate(
                        entry=entry,
                        question=question,
                        similarity=neighbour.similarity,
                        probability=probability,
                        learnable=words,
                    )
        return best or learnable

    def _probability(self, other: Question, question: Question, similarity: float, margin: float) -> float:
        if other.content == question.content:
            return self._verifier.probability(pair_features(other, question, similarity, margin))
        alike = replace(question, words=other.words, content=other.content)
        return min(LEARNT, self._verifier.probability(pair_features(other, alike, similarity, margin)))

    def _second(self, neighbour: Neighbour, other: Question, neighbours: Sequence[Neighbour]) -> float:
        """The similarity of the nearest other question: not of the same words, nor of the same group."""
        scope = neighbour.entry.scope
        group = self._groups.get((scope, other.content))
        for each in neighbours:
            content = question_of(each.entry.question).content
            alike = group is not None and self._groups.get((scope, content)) is group
            if not alike and content != other.content:
                return each.similarity
        return 0.0

    def _known(self, scope: bytes, other: Question, user: str) -> Substitutions:
        """Which words say the same in this group; what the user was taught in others' stands behind it."""
        taught_words = self._taught.get((scope, user))
        taught = taught_words.words if taught_words is not None else {}
        group = self._groups.get((scope, other.content))
        if group is None or not self._tells(group.answer):
            return taught
        return {**taught, **{word: taught.get(stands, stands) for word, stands in group.words.items()}}

    def _tells(self, answer: bytes) -> bool:
        """Whether this answer is not one that all questions get."""
        return len(self._askers.get(answer, ())) < TELLS_NOTHING

    def note_answer(self, question: Question, answer: bytes) -> None:
        """Notes that this question got this answer, by its digest."""
        words = frozenset(map(hash, question.content))
        askers = self._askers.setdefault(answer, [])
        if len(askers) < TELLS_NOTHING and all(are_unlike(words, each) for each in askers):
            askers.append(words)
        self._askers.move_to_end(answer)
        if len(self._askers) > MOST_REMEMBERED:
            self._askers.popitem(last=False)

    def confirm(self, candidate: SimilarCandidate, answer: bytes, user: str) -> None:
        """A check agreed. Where the pair differs in words that may be learnt, they count as one in its group from now
        on. answer: a digest of what both got."""
        entry, question = candidate.entry, candidate.question
        if not candidate.learnable or not self._tells(answer):
            return
        place = (entry.scope, question_of(entry.question).content)
        group = self._groups.get(place) or _Group({}, answer, set())
        group.learn(candidate.learnable)
        group.users |= {entry.user, user}
        if user == entry.user != NOBODY:
            taught_words = self._taught.setdefault((entry.scope, user), TaughtWords())
            taught_words.note(candidate.learnable, question.content, answer)
            self._taught.move_to_end((entry.scope, user))
            if len(self._taught) > MOST_TAUGHT:
                self._taught.popitem(last=False)
        self._groups[place] = self._groups[entry.scope, question.content] = group
        while len(self._groups) > MOST_REMEMBERED:
            self._groups.popitem(last=False)

    def reject(self, candidate: SimilarCandidate, user: str) -> None:
        """A check or a rating found the pair wrong: it is never served again, nor is another wording of it."""
        entry, other = candidate.entry, question_of(candidate.entry.question)
        pair = (entry.scope, other.content, candidate.question.content)
        self._wrong[pair] = frozenset({entry.user, user})
        if candidate.learnable is None and other.content != candidate.question.content:
            # By words that were wrongly learnt.
            self._groups.pop((entry.scope, other.content), None)
            if (taught_words := self._taught.get((entry.scope, user))) is not None:
                taught_words.refuse({*other.content} ^ {*candidate.question.content})
        words = candidate.learnable or {}
        # Of several words that differ nobody knows which one it was.
        if len(words) == 1 and (taught_words := self._taught.get((entry.scope, user))) is not None:
            taught_words.refuse(word for pair in words.items() for word in pair if word)
        while len(self._wrong) > MOST_REMEMBERED:
            self._wrong.popitem(last=False)

    def forget(self, user: str | None) -> None:
        """Forgets the pairs of this user, and what was learnt of them. None: of all."""
        self._askers.clear()
        for owner in [owner for owner in self._taught if user is None or user == owner[1]]:
            del self._taught[owner]
        for place in [place for place, group in self._groups.items() if user is None or user in group.users]:
            del self._groups[place]
        for pair in [pair for pair, users in self._wrong.items() if user is None or user in users]:
            del self._wrong[pair]
