"""Which stored answer might serve a question, and what checks have taught about that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from turnout.caching.semantic.differences import Substitutions, apply, find_difference, find_substitutions
from turnout.caching.semantic.pair_features import pair_features
from turnout.caching.semantic.promise import LEVELS
from turnout.caching.semantic.verifier import Verifier
from turnout.caching.semantic.words import Question, question_of
from turnout.ports.semantic import Neighbour, SemanticEntry

NEIGHBOURS = 8
# Below it, the answers of a pair that differs in a word are not compared: nearly all of them differ.
LEAST_COMPARED = 0.3
# What was learnt to say the same is never above the last level.
LEARNT = LEVELS[-1]
# An answer that so many questions got, of which no check said that they are one, says nothing about any of them.
TELLS_NOTHING = 3
MOST_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stored answer for a question. probability: that it serves, by the verifier. learnable: by which words the pair
    differs, where it may be compared but not served; None for a would-be hit."""

    entry: SemanticEntry
    question: Question
    similarity: float
    probability: float
    learnable: Substitutions | None = None


@dataclass(slots=True)
class _Group:
    """Questions that checks found to have one answer. words: each by what stands for it. answer: a digest."""

    words: dict[str, str]
    answer: bytes


class Candidates:
    """Judges pairs. Remembers, bounded, which words say the same in one group of questions, and which pairs a check or
    a rating found wrong. learns: whether checks that agree teach words."""

    def __init__(self, verifier: Verifier, *, learns: bool = True) -> None:
        self._verifier = verifier
        self._learns = learns
        self._groups: OrderedDict[bytes, _Group] = OrderedDict()
        # By an answer's digest: hashes of the questions that got it, those of one group as one.
        self._askers: OrderedDict[bytes, set[int]] = OrderedDict()
        # By scope and both contents: whose questions they were.
        self._wrong: OrderedDict[tuple[bytes, tuple[str, ...], tuple[str, ...]], frozenset[str]] = OrderedDict()

    def judge(self, question: Question, scope: bytes, neighbours: Sequence[Neighbour]) -> Candidate | None:
        """The most probable would-be hit among these, the nearest first; else the pair to learn from, if any."""
        learnable = None
        best: Candidate | None = None
        for neighbour in neighbours:
            entry, other = neighbour.entry, question_of(neighbour.entry.question)
            if (scope, other.content, question.content) in self._wrong:
                continue
            known = self._known(entry.key)
            difference = find_difference(other, question, known)
            if difference not in (None, "word"):
                continue
            margin = neighbour.similarity - self._second(neighbour, other, neighbours)
            if difference is None:
                probability = self._probability(other, question, neighbour.similarity, margin)
                if probability >= LEVELS[-1] and (best is None or probability > best.probability):
                    best = Candidate(
                        entry=entry, question=question, similarity=neighbour.similarity, probability=probability
                    )
            elif self._learns and learnable is None and (words := find_substitutions(other, question, known)):
                features = pair_features(other, question, neighbour.similarity, margin)
                if (probability := self._verifier.probability(features)) >= LEAST_COMPARED:
                    learnable = Candidate(
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
        group = self._groups.get(neighbour.entry.key)
        for each in neighbours:
            alike = group is not None and self._groups.get(each.entry.key) is group
            if not alike and question_of(each.entry.question).content != other.content:
                return each.similarity
        return 0.0

    def _known(self, key: bytes) -> Substitutions:
        group = self._groups.get(key)
        return group.words if group is not None and self._tells(group.answer) else {}

    def _tells(self, answer: bytes) -> bool:
        """Whether this answer is not one that all questions get."""
        return len(self._askers.get(answer, ())) < TELLS_NOTHING

    def note_answer(self, question: Question, candidate: Candidate | None, answer: bytes) -> None:
        """Notes which questions got this answer, by its digest."""
        known = self._known(candidate.entry.key) if candidate is not None else {}
        askers = self._askers.setdefault(answer, set())
        if len(askers) < TELLS_NOTHING:
            askers.add(hash(apply(question.content, known)))
        self._askers.move_to_end(answer)
        if len(self._askers) > MOST_REMEMBERED:
            self._askers.popitem(last=False)

    def confirm(self, candidate: Candidate, key: bytes, answer: bytes) -> None:
        """A check agreed: the question, whose own answer has this key and this digest, joins the entry's group."""
        group = self._groups.get(candidate.entry.key)
        if candidate.learnable and self._tells(answer):
            if group is None:
                group = self._groups[candidate.entry.key] = _Group({}, answer)
            self._askers.get(answer, set()).discard(hash(apply(candidate.question.content, group.words)))
            group.words.update(candidate.learnable)
        if group is not None:
            self._groups[key] = group
            while len(self._groups) > MOST_REMEMBERED:
                self._groups.popitem(last=False)

    def reject(self, candidate: Candidate, user: str) -> None:
        """A check or a rating found the pair wrong: it is never served again, nor is another wording of it."""
        entry, other = candidate.entry, question_of(candidate.entry.question)
        pair = (entry.scope, other.content, candidate.question.content)
        self._wrong[pair] = frozenset({entry.user, user})
        if candidate.learnable is None and other.content != candidate.question.content:
            # By words that were wrongly learnt.
            self._groups.pop(entry.key, None)
        while len(self._wrong) > MOST_REMEMBERED:
            self._wrong.popitem(last=False)

    def forget(self, keys: Iterable[bytes], user: str | None) -> None:
        """Forgets what was learnt of these entries and of this user's pairs. None: of all."""
        self._askers.clear()
        for key in keys:
            self._groups.pop(key, None)
        for pair in [pair for pair, users in self._wrong.items() if user is None or user in users]:
            del self._wrong[pair]
