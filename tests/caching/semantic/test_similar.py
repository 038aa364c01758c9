"""What similar questions teach other workers: of ratings and purges."""

from __future__ import annotations

import asyncio

import pytest

from tests.caching.semantic.test_shared_error_bound import Checks
from turnout.caching.semantic.candidates import Candidates, SimilarCandidate
from turnout.caching.semantic.error_bound import ErrorBound
from turnout.caching.semantic.guarded_embedder import GuardedEmbedder
from turnout.caching.semantic.similar import MOST_SERVED, SimilarQuestions
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.caching.semantic.words import question_of
from turnout.ports.semantic import PairResult, RatedWrong, SemanticEntry
from turnout.stores.memory.semantic_store import MemorySemanticStore
from turnout.testing import ManualClock


class NoVectors:
    """Implements Embedder."""

    async def embed(self, text: str) -> bytes:
        return b""


def similar_questions(checks: Checks) -> SimilarQuestions:
    return SimilarQuestions(
        embedder=GuardedEmbedder(NoVectors(), ManualClock(), timeout_s=1, failures=1, reset_s=1),
        vectors="none",
        store=MemorySemanticStore(max_entries=10, graphs=False),
        candidates=Candidates(load_verifier(SHIPPED)),
        error_bound=ErrorBound(0.1, shared=True),
        now=lambda: 0.0,
        checks=(checks, "n"),
    )


def would_be_hit() -> SimilarCandidate:
    text = "How do I mend a broken phone screen?"
    entry = SemanticEntry(key=b"k", scope=b"s", question=text, vector=b"", fresh_until=1.0, user="user:ann")
    return SimilarCandidate(entry=entry, question=question_of(f"Hi! {text}"), similarity=1.0, probability=0.95)


def test_a_rating_that_comes_again_is_told_once() -> None:
    """Of a hit that this worker served as of another's; what it remembers of them is bounded."""
    checks = Checks()
    similar = similar_questions(checks)
    similar.note_served("mine", would_be_hit(), "user:ann")
    for _ in range(3):
        for request_id in ("mine", "another's"):
            similar.report_wrong(request_id)
    asyncio.run(similar.settle())
    own, other = checks.results
    assert isinstance(own, PairResult)
    assert other == RatedWrong("another's")
    assert (similar.error_bound.checks, similar.error_bound.wrong) == (1, 1)
    for number in range(MOST_SERVED + 10):
        similar.report_wrong(str(number))
    assert len(similar._rated) == MOST_SERVED


@pytest.mark.parametrize(
    ("user", "endpoint", "kept"),
    [(None, "/ask", 10), ("user:ann", None, 10), ("user:ann", "/ask", 10), (None, None, 0)],
)
@pytest.mark.parametrize("under_way", [False, True])
def test_checks_end_with_a_purge_of_everything_alone(
    user: str | None, endpoint: str | None, kept: int, under_way: bool
) -> None:
    """Those too that the store could not be told of yet."""
    checks = Checks()
    similar = similar_questions(checks)
    for _ in range(10):
        similar.error_bound.record(0.95, agrees=False)

    async def main() -> None:
        checks.down = under_way
        if under_way:
            await similar.settle()
        await similar.purge(user=user, endpoint=endpoint)
        checks.down = False
        await similar.settle()

    asyncio.run(main())
    assert (similar.error_bound.checks, similar.error_bound.wrong, sum(checks.sums[-1:])) == (kept, kept, kept)
