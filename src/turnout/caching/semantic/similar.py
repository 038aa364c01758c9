"""The questions whose answers may serve similar ones: found, judged, checked, remembered."""

from __future__ import annotations

import logging
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul
from typing import Any, assert_never

from turnout.caching.semantic.candidates import NEIGHBOURS, Candidates, SimilarCandidate, rejection
from turnout.caching.semantic.comparison import LEAST_SIMILARITY, digest, may_agree, plain
from turnout.caching.semantic.error_bound import ErrorBound
from turnout.caching.semantic.guarded_embedder import GuardedEmbedder
from turnout.caching.semantic.shared_error_bound import SharedErrorBound
from turnout.caching.semantic.words import LONGEST_TEXT, question_of
from turnout.ports.semantic import (
    CheckResult,
    CheckStore,
    PairResult,
    Purged,
    RatedWrong,
    SemanticEntry,
    SemanticStore,
    UninformativeAnswer,
)

log = logging.getLogger("turnout")

# Semantic hits that a rating may still come for.
MOST_SERVED = 10_000


@dataclass(slots=True, kw_only=True)
class AskedQuestion:
    """The last user turn of one request. scope: of all else that shapes its answer. vector, candidate: written when it
    is looked up; b"" and None where it was not, or nothing was found. purges: those that had been made by then."""

    text: str
    scope: bytes
    vector: bytes = b""
    candidate: SimilarCandidate | None = None
    purges: int = 0


@dataclass(slots=True)
class _Figures:
    lookups: int = 0
    hits: int = 0
    failed: int = 0


class SimilarQuestions:
    """One process' questions and what it knows about them. vectors: what names the embedder; the vectors of two names
    are never compared. now: seconds since 1970. checks: where all workers share what checks taught, and the name of
    what is checked; None where there is no other worker."""

    def __init__(
        self,
        *,
        embedder: GuardedEmbedder,
        vectors: str,
        store: SemanticStore,
        candidates: Candidates,
        error_bound: ErrorBound,
        now: Callable[[], float],
        checks: tuple[CheckStore, str] | None = None,
    ) -> None:
        self._embedder = embedder
        self.vectors = vectors
        self.store = store
        self._candidates = candidates
        self.error_bound = error_bound
        self._now = now
        self._shared = (
            SharedErrorBound(error_bound, *checks, now=now, learn=self._learn) if checks is not None else None
        )
        self._figures = _Figures()
        # How often something was forgotten.
        self.purges = 0
        # By request id: how probable the hit was, and what it teaches that it was wrong.
        self._served: OrderedDict[str, tuple[float, PairResult]] = OrderedDict()
        # Request ids, so that a rating that comes again is no news to anybody.
        self._rated: OrderedDict[str, None] = OrderedDict()

    async def find(self, asked: AskedQuestion, user: str) -> SimilarCandidate | None:
        """The candidate for this question, kept on it too. None where there is none or the embedder failed."""
        self._figures.lookups += 1
        asked.purges = self.purges
        question = question_of(asked.text)
        asked.vector = await self._embed(" ".join(question.words))
        if asked.vector:
            neighbours = await self.store.nearest(asked.scope, asked.vector, NEIGHBOURS, self._now())
            asked.candidate = self._candidates.judge(question, asked.scope, neighbours, user)
        return asked.candidate

    def allows(self, candidate: SimilarCandidate) -> bool:
        """Whether the candidate may be served, by the error bound."""
        return candidate.learnable is None and self.error_bound.allows(candidate.probability)

    def note_served(self, request_id: str, candidate: SimilarCandidate, user: str) -> None:
        """Counts a semantic hit, and remembers it for a rating."""
        self._figures.hits += 1
        self._served[request_id] = candidate.probability, rejection(candidate, user)
        if len(self._served) > MOST_SERVED:
            self._served.popitem(last=False)

    async def add(self, asked: AskedQuestion, *, key: bytes, user: str, endpoint: str, ttl_s: float) -> None:
        """Keeps the question, whose answer was stored under this key."""
        vector = asked.vector or await self._embed(" ".join(question_of(asked.text).words))
        if vector:
            entry = SemanticEntry(
                key=key,
                scope=asked.scope,
                question=asked.text,
                vector=vector,
                fresh_until=self._now() + ttl_s,
                user=user,
                endpoint=endpoint,
            )
            await self.store.add(entry)

    async def agree(self, answer: str, other: str) -> bool:
        """Whether two answers say the same: in the same words, or with near vectors and the same numbers."""
        if plain(answer) == plain(other):
            return True
        if not may_agree(answer, other):
            return False
        one, two = await self._embed(answer), await self._embed(other)
        if not one or not two or len(one) != len(two):
            return False
        cosine: float = sum(map(mul, array("f", one), array("f", two)))
        return cosine >= LEAST_SIMILARITY

    def note_answer(self, asked: AskedQuestion, answer: str) -> None:
        """Notes the model's own answer to a question."""
        if self._candidates.note_answer(question_of(asked.text), digest(answer)):
            self._tell(UninformativeAnswer(digest(answer)))

    def record(self, candidate: SimilarCandidate, user: str, *, agrees: bool, answer: str = "") -> None:
        """Learns from a check of this candidate. answer: the model's own."""
        if candidate.learnable is None:
            self.error_bound.record(candidate.probability, agrees=agrees)
        if agrees:
            result = self._candidates.confirm(candidate, digest(answer), user)
        else:
            result = self._candidates.reject(candidate, user)
        if result is not None:
            self._tell(result)

    def record_undecided(self, candidate: SimilarCandidate) -> None:
        """Counts a check of this candidate that came to no verdict as an error: were it left out, the error bound would
        not see the errors among such pairs. It teaches nothing of the pair."""
        if candidate.learnable is None:
            self.error_bound.record(candidate.probability, agrees=False)

    def is_due(self) -> bool:
        """Whether `settle` is to be called, though nothing was checked: others may have checked."""
        return self._shared is not None and self._shared.is_due()

    async def settle(self) -> None:
        """Brings the error bound, and what was learnt of pairs, in step with the other workers'."""
        if self._shared is not None:
            await self._shared.settle()

    def report_wrong(self, request_id: str) -> None:
        """A rating said that this semantic hit was wrong: its pair goes and counts, by whichever worker it was served,
        and once."""
        if request_id in self._rated:
            return
        self._rated[request_id] = None
        if len(self._rated) > MOST_SERVED:
            self._rated.popitem(last=False)
        if not self._reject_served(request_id):
            self._tell(RatedWrong(request_id))

    def _reject_served(self, request_id: str) -> bool:
        served = self._served.pop(request_id, None)
        if served is None:
            return False
        probability, result = served
        self.error_bound.record(probability, agrees=False)
        self._candidates.apply(result)
        self._tell(result)
        return True

    def _tell(self, result: CheckResult) -> None:
        if self._shared is not None:
            self._shared.note(result)

    def _learn(self, result: CheckResult | Purged) -> None:
        """Learns what a worker has told, this one perhaps."""
        match result:
            case PairResult():
                self._candidates.apply(result)
            case UninformativeAnswer():
                self._candidates.note_uninformative(result.answer)
            case RatedWrong():
                self._reject_served(result.request_id)
            case Purged():
                self._forget(result.user or None)
            case _:
                assert_never(result)

    async def purge(self, *, user: str | None, endpoint: str | None) -> None:
        """Forgets the questions and pairs of this user (a `user_key`) at this endpoint; None: of all."""
        if self._shared is not None:
            self._shared.forget(user, counts=user is None and endpoint is None)
        if user is None and endpoint is None:
            self.error_bound.forget()
        self._forget(user)
        # What it remembers of texts is nobody's in particular.
        question_of.cache_clear()
        self._embedder.forget()
        await self.store.purge(user=user, endpoint=endpoint)

    def _forget(self, user: str | None) -> None:
        """Forgets the pairs of this user; None: of all."""
        self.purges += 1
        self._candidates.forget(user)
        of_user = [name for name, (_, result) in self._served.items() if user is None or user in result.users]
        for request_id in of_user:
            del self._served[request_id]

    def figures(self) -> dict[str, Any]:
        """What the status page shows: the error bound, of all workers with Redis; look-ups and hits, of this process.
        Rates are null of none."""
        figures, error_bound = self._figures, self.error_bound
        return {
            "max_error": error_bound.max_error,
            "estimate": error_bound.estimate,
            "bound": error_bound.bound,
            "level": error_bound.level,
            "checks": error_bound.checks,
            "wrong": error_bound.wrong,
            "lookups": figures.lookups,
            "hits": figures.hits,
            "hit_rate": round(figures.hits / figures.lookups, 6) if figures.lookups else None,
            "embedder_failures": figures.failed,
        }

    async def _embed(self, text: str) -> bytes:
        if not text or len(text) > LONGEST_TEXT:
            return b""
        try:
            return await self._embedder.embed(text)
        except Exception as error:
            # Whatever an app's own function raises: without a vector the request is a miss, not an error.
            self._figures.failed += 1
            if self._figures.failed == 1:
                log.warning("the embedder failed (%s: %s): similar questions are misses", type(error).__name__, error)
            return b""
