"""Which stored answer might serve a question, and what checks have taught about that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from turnout.caching.semantic.differences import (
    LONGEST_WORD,
    Substitutions,
    find_difference,
    find_substitutions,
    may_be_learnt,
)
from turnout.caching.semantic.error_bound import LEVELS
from turnout.caching.semantic.pair_features import pair_features
from turnout.caching.semantic.taught_words import TaughtWords, are_unlike, join
from turnout.caching.semantic.verifier import PairVerifier
from turnout.caching.semantic.words import Question, question_of, sketch
from turnout.context import ANONYMOUS, user_key
from turnout.ports.semantic import Neighbour, PairResult, SemanticEntry

NEIGHBOURS = 8
# Below it, the answers of a pair that differs in a word are not compared: nearly all of them differ.
LEAST_COMPARED = 0.3
# What was learnt to say the same is never above the last level.
LEARNT = LEVELS[-1]
# An answer that so many questions got which are unlike each other says nothing about any of them.
TELLS_NOTHING = 3
MOST_REMEMBERED = 100_000
# Pairs of words of all users: some 20 MB.
MOST_TAUGHT = 20_000
# What so many users' own questions showed holds for all.
ENOUGH_USERS = 3
# Pairs of words of one group, and users whose questions they are.
MOST_OF_A_GROUP = 64
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
    """Questions that checks found to have one answer. answer: its digest. users: whose questions they are. taught: of
    two words that say the same, in their order, who asked the questions that showed it: up to ENOUGH_USERS."""

    answer: bytes
    users: set[str] = field(default_factory=set)
    taught: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def pairs_for(self, user: str) -> Sequence[tuple[str, str]]:
        """Which words say the same for this user: his own questions showed it, or those of so many users that one of
        them alone cannot have planted it. One person with so many accounts can."""
        return [pair for pair, users in self.taught.items() if user in users or len(users) >= ENOUGH_USERS]

    def learn(self, result: PairResult) -> bool:
        """Notes the words, for the user who asked. Returns whether there was room."""
        pairs = [tuple(sorted(pair)) for pair in result.words.items()]
        users = self.users.union(result.users)
        if max(len(self.taught.keys() | {*pairs}), len(users)) > MOST_OF_A_GROUP:
            return False
        self.users = users
        for one, other in pairs:
            known = self.taught.get((one, other), ())
            if len(known) < ENOUGH_USERS and result.users[1] not in known:
                self.taught[one, other] = (*known, result.users[1])
        return True


class Candidates:
    """Judges pairs. Remembers, bounded, which words say the same in one group of questions, and which pairs a check or
    a rating found wrong. learns: whether checks that agree teach words."""

    def __init__(self, verifier: PairVerifier, *, learns: bool = True) -> None:
        self._verifier = verifier
        self._learns = learns
        # By scope and a question's digest.
        self._groups: OrderedDict[tuple[bytes, bytes], _Group] = OrderedDict()
        # By an answer's digest: sketches of questions that got it, each unlike the others.
        self._askers: OrderedDict[bytes, list[bytes]] = OrderedDict()
        # By scope and user: what his own questions have taught him.
        self._taught: OrderedDict[tuple[bytes, str], TaughtWords] = OrderedDict()
        self._taught_size = 0
        # By scope and both questions' digests: whose they were.
        self._wrong: OrderedDict[tuple[bytes, bytes, bytes], frozenset[str]] = OrderedDict()

    def judge(
        self, question: Question, scope: bytes, neighbours: Sequence[Neighbour], user: str
    ) -> SimilarCandidate | None:
        """The most probable would-be hit among these, the nearest first; else the pair to learn from, if any. user: who
        asks, a `user_key`."""
        learnable = None
        best: SimilarCandidate | None = None
        for neighbour in neighbours:
            entry, other = neighbour.entry, question_of(neighbour.entry.question)
            if (scope, other.digest, question.digest) in self._wrong:
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
        alike = replace(question, words=other.words, content=other.content, digest=other.digest)
        return min(LEARNT, self._verifier.probability(pair_features(other, alike, similarity, margin)))

    def _second(self, neighbour: Neighbour, other: Question, neighbours: Sequence[Neighbour]) -> float:
        """The similarity of the nearest other question: not of the same words, nor of the same group."""
        scope = neighbour.entry.scope
        group = self._groups.get((scope, other.digest))
        for each in neighbours:
            digest = question_of(each.entry.question).digest
            alike = group is not None and self._groups.get((scope, digest)) is group
            if not alike and digest != other.digest:
                return each.similarity
        return 0.0

    def _known(self, scope: bytes, other: Question, user: str) -> Substitutions:
        """Which words say the same in this group; what the user was taught in others' stands behind it."""
        taught_words = self._taught.get((scope, user))
        taught = taught_words.words if taught_words is not None else {}
        group = self._groups.get((scope, other.digest))
        pairs = group.pairs_for(user) if group is not None and self._tells(group.answer) else ()
        return join(pairs, taught) if pairs else taught

    def _tells(self, answer: bytes) -> bool:
        """Whether this answer is not one that all questions get."""
        return len(self._askers.get(answer, ())) < TELLS_NOTHING

    def _teaches(self, answer: bytes, user: str) -> bool:
        """Whether a check teaches this user words: all anonymous callers share a name, and one is taught nothing by
        another."""
        return user != NOBODY and self._tells(answer)

    def note_answer(self, question: Question, answer: bytes) -> bool:
        """Notes that this question got this answer, by its digest. Returns whether it is known from now on to tell
        nothing."""
        asked = sketch(question.content)
        askers = self._askers.setdefault(answer, [])
        is_new = len(askers) < TELLS_NOTHING and all(are_unlike(asked, each) for each in askers)
        if is_new:
            askers.append(asked)
        self._bound_answers(answer)
        return is_new and len(askers) == TELLS_NOTHING

    def note_uninformative(self, answer: bytes) -> None:
        """Another worker found that this answer, by its digest, tells nothing."""
        self._askers[answer] = [b""] * TELLS_NOTHING
        self._bound_answers(answer)

    def _bound_answers(self, newest: bytes) -> None:
        self._askers.move_to_end(newest)
        if len(self._askers) > MOST_REMEMBERED:
            self._askers.popitem(last=False)

    def confirm(self, candidate: SimilarCandidate, answer: bytes, user: str) -> PairResult | None:
        """A check agreed. Where the pair differs in words that may be learnt, they count as one in its group from now
        on. answer: a digest of what both got. Returns what is new by it, if anything."""
        if not candidate.learnable or not self._teaches(answer, user):
            return None
        result = replace(
            _result(candidate, user),
            agrees=True,
            answer=answer,
            words=candidate.learnable,
            sketch=sketch(candidate.question.content),
        )
        self.apply(result)
        return result

    def reject(self, candidate: SimilarCandidate, user: str) -> PairResult:
        """A check or a rating found the pair wrong: it is never served again, nor is another wording of it. Returns
        what is new by it."""
        result = rejection(candidate, user)
        self.apply(result)
        return result

    def apply(self, result: PairResult) -> None:
        """Learns, once or again, what this worker or another has found."""
        if result.agrees:
            self._learn(result)
            return
        self._wrong[result.scope, result.known, result.asked] = frozenset(result.users)
        if not result.words and result.known != result.asked:
            # By words that were wrongly learnt.
            self._groups.pop((result.scope, result.known), None)
        if result.refused and (taught_words := self._taught.get((result.scope, result.users[1]))) is not None:
            before = taught_words.size
            taught_words.refuse(result.refused)
            self._taught_size += taught_words.size - before
        while len(self._wrong) > MOST_REMEMBERED:
            self._wrong.popitem(last=False)

    def _learn(self, result: PairResult) -> None:
        owner, user = result.users
        # A worker of an earlier version, or what it has stored, may tell of words by which questions differ.
        if not self._teaches(result.answer, user) or not may_be_learnt(result.words):
            return
        place = (result.scope, result.known)
        group = self._groups.get(place) or _Group(result.answer)
        if group.learn(result):
            self._groups[place] = self._groups[result.scope, result.asked] = group
        while len(self._groups) > MOST_REMEMBERED:
            self._groups.popitem(last=False)
        if user == owner:
            self._teach(result, user)

    def _teach(self, result: PairResult, user: str) -> None:
        taught_words = self._taught.setdefault((result.scope, user), TaughtWords())
        before = taught_words.size
        taught_words.note(result.words, result.sketch, result.answer)
        self._taught_size += taught_words.size - before
        self._taught.move_to_end((result.scope, user))
        while self._taught_size > MOST_TAUGHT:
            self._taught_size -= self._taught.popitem(last=False)[1].size

    def forget(self, user: str | None) -> None:
        """Forgets the pairs of this user, and what was learnt of them. None: of all."""
        # Which answers tell nothing is knowledge of no user.
        empty = [] if user is None else [answer for answer in self._askers if not self._tells(answer)]
        self._askers = OrderedDict((answer, [b""] * TELLS_NOTHING) for answer in empty)
        for owner in [owner for owner in self._taught if user is None or user == owner[1]]:
            self._taught_size -= self._taught.pop(owner).size
        for place in [place for place, group in self._groups.items() if user is None or user in group.users]:
            del self._groups[place]
        for pair in [pair for pair, users in self._wrong.items() if user is None or user in users]:
            del self._wrong[pair]


def rejection(candidate: SimilarCandidate, user: str) -> PairResult:
    """What it teaches that this pair is wrong. user: who asked, a `user_key`."""
    mine, others = candidate.question.content, question_of(candidate.entry.question).content
    words = candidate.learnable or {}
    refused: set[str] = set()
    if candidate.learnable is None:
        refused = {*mine} ^ {*others}
    elif len(words) == 1:
        # Of several words that differ nobody knows which one it was.
        refused = {word for pair in words.items() for word in pair if word}
    known = sorted(word for word in refused if len(word) <= LONGEST_WORD)[:MOST_OF_A_GROUP]
    return replace(_result(candidate, user), words=words, refused=tuple(known))


def _result(candidate: SimilarCandidate, user: str) -> PairResult:
    entry = candidate.entry
    return PairResult(
        scope=entry.scope,
        known=question_of(entry.question).digest,
        asked=candidate.question.digest,
        agrees=False,
        users=(entry.user, user),
    )
