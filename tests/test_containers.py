"""Everything that outlives a request is bounded: filled with distinct entries, or by a caller's own words.

With twice as many as the bound, or with a million where TURNOUT_TESTS is `nightly` (`nox -s containers`).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stores.test_failover import Process
from tests.support.redis_server import RedisServer
from turnout.api.feedback import MOST_RATED, Feedback
from turnout.caching.semantic.candidates import MOST_REMEMBERED, Candidates, SimilarCandidate
from turnout.caching.semantic.guarded_embedder import MOST_KEPT, GuardedEmbedder
from turnout.caching.semantic.similar import MOST_SERVED, SimilarQuestions
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.caching.semantic.words import question_of
from turnout.ports.admission import Ask, PinUpdate, Settlement
from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateState
from turnout.ports.runtime import ProviderCall
from turnout.ports.semantic import Embedder, SemanticEntry
from turnout.ports.sharing import Claims
from turnout.quota.budget_alerts import KNOWN_ALERTS, BudgetAlerts
from turnout.settings import Settings
from turnout.stores import failover, local_share, outage_book
from turnout.stores.memory import circuit_store, pins
from turnout.telemetry.endpoint_labels import MOST_ENDPOINTS, EndpointLabels
from turnout.telemetry.remedies import MOST_CODES, OnceAMinute
from turnout.telemetry.remembered import Remembered
from turnout.testing import ManualClock
from turnout.upstream.transports import DirectFirstProvider

MILLION = 1_000_000
FEWEST = 20_000
PAGE = Path(__file__).parents[1] / "docs" / "containers.md"


class NobodyClaims(Claims):
    """Claims that another worker has already."""

    async def claim(self, name: str, lease_s: float) -> bool:
        return False

    async def release(self, name: str) -> None: ...


def _rate(number: int) -> RateClaim:
    return RateClaim(policy="user", key=f"u{number}", limit=10, window_s=60)


def _alerts() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    alerts = BudgetAlerts(shares=(1.0,), claims=NobodyClaims(), clock=ManualClock(0.0), observer=None)  # type: ignore[arg-type]

    def fill(number: int) -> Any:
        claim = BudgetClaim(policy="user", key=f"u{number}", limit=1, rolling_s=60)
        return alerts.check([BudgetState(claim=claim, spent=1, reserved=0, start=0, end=60)], None)

    return fill, lambda: len(alerts._silent_until), KNOWN_ALERTS


def _claims() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    store = circuit_store.MemoryCircuitStore(clock=ManualClock())
    return lambda number: store.claim(f"alert:{number}", 60), lambda: len(store._probes), circuit_store.MAX_CLAIMS


def _last_states() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    states = local_share.LastStates()

    def fill(number: int) -> None:
        states.record([RateState(claim=_rate(number), remaining=1, reset_s=1)], (), 0.0)

    return fill, lambda: len(states._rates), local_share.MAX_ACCOUNTS


def _outage_book() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    book = outage_book.OutageBook()

    def fill(number: int) -> None:
        book.record(Ask(key=None, rates=(_rate(number),)), None, 0)

    return fill, lambda: len(book._rates) + len(book._calls), outage_book.MAX_ACCOUNTS


def _pins() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    kept = pins.MemoryPins()

    def fill(number: int) -> None:
        kept.put(PinUpdate(key=f"c{number}", packed=b"", ttl_s=60, user="u"), 0.0)

    return fill, lambda: len(kept), pins.MOST_PINS


def _remembered() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    known = Remembered[int, int](lambda key: key, 500)
    return lambda number: known[number], lambda: len(known), 500


def _codes() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    once = OnceAMinute(ManualClock())
    return lambda number: once.is_due(f"code_{number}"), lambda: len(once._said), MOST_CODES


def _candidates() -> Candidates:
    return Candidates(load_verifier(SHIPPED))


def _similar(number: int) -> SimilarCandidate:
    entry = SemanticEntry(key=b"", scope=number.to_bytes(16, "big"), question="mend a bike", vector=b"", fresh_until=1)
    return SimilarCandidate(entry=entry, question=question_of("paint a boat"), similarity=0.9, probability=0.9)


def _answers_of_questions() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    candidates, question = _candidates(), question_of("mend a bike")
    fill = candidates.note_answer
    return lambda number: fill(question, number.to_bytes(8, "big")), lambda: len(candidates._askers), MOST_REMEMBERED


def _wrong_pairs() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    candidates = _candidates()
    return lambda number: candidates.reject(_similar(number), "u"), lambda: len(candidates._wrong), MOST_REMEMBERED


def _served() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    nothing: Any = None
    questions = SimilarQuestions(
        embedder=nothing, vectors="", store=nothing, candidates=nothing, error_bound=nothing, now=lambda: 0.0
    )
    candidate = _similar(0)
    return (
        lambda number: questions.note_served(f"r{number}", candidate, "u"),
        lambda: len(questions._served),
        MOST_SERVED,
    )


def _rated() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    questions = SimilarQuestions(
        embedder=NOTHING, vectors="", store=NOTHING, candidates=NOTHING, error_bound=NOTHING, now=lambda: 0.0
    )
    return lambda number: questions.report_wrong(f"r{number}"), lambda: len(questions._rated), MOST_SERVED


def _ratings() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    feedback = Feedback(
        access=NOTHING, keeper=NOTHING, cache_admin=NOTHING, clock=NOTHING, feedback_log=None, shared=False
    )
    return lambda number: feedback._count(f"r{number}"), lambda: len(feedback._rated), MOST_RATED


def _endpoint_labels() -> tuple[Callable[[int], Any], Callable[[], int], int]:
    labels = EndpointLabels(["/ask"])
    return lambda number: labels.of(f"/{number}"), lambda: len(labels._known), MOST_ENDPOINTS + 1


class OneVector(Embedder):
    """Says the same of every text."""

    async def embed(self, text: str) -> bytes:
        return b"v"


NOTHING: Any = None
FILLED = [
    *(_alerts, _claims, _last_states, _outage_book, _pins, _remembered, _codes),
    *(_answers_of_questions, _wrong_pairs, _served, _rated, _ratings, _endpoint_labels),
]


@pytest.mark.parametrize("container", FILLED, ids=lambda made: made.__name__.strip("_"))
def test_distinct_entries_stay_within_the_bound(
    container: Callable[[], tuple[Callable[[int], Any], Callable[[], int], int]],
) -> None:
    """Names that callers invent are dropped, the newest is kept."""
    fill, size, most = container()
    count = MILLION if os.environ.get("TURNOUT_TESTS") == "nightly" else max(FEWEST, 2 * most)

    async def scenario() -> None:
        for number in range(count):
            done = fill(number)
            if asyncio.iscoroutine(done):
                await done

    asyncio.run(scenario())
    assert 0 < size() <= most


def test_settlements_owed_to_a_redis_that_is_away_are_bounded() -> None:
    """The newest are kept, and none of the dropped ones' flights is held on to."""
    server = RedisServer()
    process = Process(server)
    turnout = process.turnout
    gate: Any = turnout._stores.gate

    async def scenario() -> None:
        async with turnout:
            await process.ask("hello")
            server.kill()
            for number in range(3 * failover.MAX_UNSETTLED):
                await gate.leave(Settlement(key=None, lease=f"lease-{number}"))
            assert len(gate._unsettled) == failover.MAX_UNSETTLED
            assert gate._unsettled[-1].lease == f"lease-{3 * failover.MAX_UNSETTLED - 1}"
            assert len(gate._shared.flights._held) == 0

    try:
        asyncio.run(scenario())
    finally:
        server.kill()


def test_why_a_request_went_through_litellm_is_noted_without_its_callers_words() -> None:
    """Neither kept, nor in the log: a caller may invent any number of part types and efforts."""
    name = "anthropic/claude-sonnet-4-5"
    sections = {
        "tiers": {"cheap": {"models": [name]}, "expensive": {"models": ["openai/dear"]}},
        "models": {name: {"params": {"api_base": "http://127.0.0.1:9"}}},
    }
    provider = DirectFirstProvider(Settings.of(sections), {})

    async def scenario() -> None:
        await provider.load()
        for number in range(100):
            parts = ({"role": "user", "content": [{"type": f"forged\n{number}", "text": "x"}]},)
            await provider._prepared(ProviderCall(model=name, messages=parts), stream=False)
            plain = ({"role": "user", "content": "x"},)
            params = {"reasoning_effort": f"forged\n{number}"}
            await provider._prepared(ProviderCall(model=name, messages=plain, params=params), stream=False)
        await provider.close()

    asyncio.run(scenario())
    assert 0 < len(provider._noted) <= 2
    assert not [reason for _, reason in provider._noted if "forged" in reason]


def test_vectors_of_texts_just_asked_are_bounded() -> None:
    """The newest are kept."""
    embedder = GuardedEmbedder(OneVector(), ManualClock(), timeout_s=1, failures=5, reset_s=1)

    async def scenario() -> None:
        for number in range(5 * MOST_KEPT):
            await embedder.embed(f"q{number}")

    asyncio.run(scenario())
    assert list(embedder._kept) == [f"q{number}" for number in range(4 * MOST_KEPT, 5 * MOST_KEPT)]


def test_a_callers_long_parameters_are_not_kept_with_their_mapping() -> None:
    """Nor more than a number of short ones."""
    name = "openai/small"
    tiers = {"cheap": {"models": [name]}, "expensive": {"models": ["openai/dear"]}}
    provider = DirectFirstProvider(
        Settings.of({"tiers": tiers, "models": {name: {"params": {"api_base": "http://127.0.0.1:9"}}}}), {}
    )

    async def scenario() -> None:
        await provider.load()
        for number in range(300):
            for stop in (f"u{number}", f"u{number}" * 1000):
                params = {"stop": stop, "temperature": 0.5}
                call = ProviderCall(model=name, messages=({"role": "user", "content": "x"},), params=params)
                _, prepared = await provider._prepared(call, stream=False)
                assert prepared is not None
                assert prepared.body["stop"] == stop
        await provider.close()

    asyncio.run(scenario())
    assert provider._direct is not None
    known = provider._direct._dialects[name]._known
    assert 0 < len(known) <= 64
    assert len(repr(known)) < 64 * 1000


def test_every_container_names_its_bound_and_its_test() -> None:
    """docs/containers.md is a table of three columns; each test that it names is there."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    for row in rows:
        _, container, bound, test, _ = row.split("|")
        named = re.findall(r"`(tests/[\w/]+\.py)`", test)
        assert container.strip()
        assert bound.strip()
        assert named, row
        assert all((PAGE.parents[1] / file).exists() for file in named), row
