"""Answers for similar questions over Redis: what one worker was asked serves at another, until it is purged."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.test_semantic import QUESTIONS, REWORDINGS
from tests.pipeline.world import CHEAP, DEAR, PRICES
from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.context import Caller
from turnout.stores.redis.semantic_store import RedisSemanticStore
from turnout.testing import FixedScorer, ScriptedProvider

ASKER = Caller(user="ann", endpoint="/ask")
LATER = QUESTIONS[20]
REWORDED = f"Hi! {LATER} Thank you!"


def _store(worker: Turnout) -> RedisSemanticStore:
    assert worker._pipeline.semantic is not None
    store = worker._pipeline.semantic._similar.store
    assert isinstance(store, RedisSemanticStore)
    return store


async def _ask(worker: Turnout, text: str) -> Any:
    answer = await worker.complete(text, caller=ASKER)
    await worker._pipeline.drain()
    return answer.outcome


def _check_none(worker: Turnout) -> None:
    """No hit is checked off the client's path."""
    assert worker._pipeline.semantic is not None
    worker._pipeline.semantic._chance = lambda: 1.0


async def _serving(worker: Turnout) -> None:
    """Lets the worker learn that similar questions may be served. The provider answers all alike."""
    for reword in (str, *REWORDINGS):
        for question in QUESTIONS[:16]:
            await worker.complete(reword(question), caller=ASKER)
        await worker._pipeline.drain()


Scenario = Callable[[Turnout, Turnout], Awaitable[None]]


@pytest.fixture
def run(redis_server: RedisServer) -> Callable[[Scenario], None]:
    """Two workers on one Redis; the second one has learnt to serve."""
    config = {
        "tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}},
        "models": {name: dict(PRICES) for name in (CHEAP, DEAR)},
        "routing": {"threshold": 0.5},
        "cache": {"semantic": {"enabled": True, "max_error": 0.10}},
        "redis": {"url": redis_server.url, "prefix": f"s-{secrets.token_hex(6)}", "timeout_s": 5},
    }

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            workers = [Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) for _ in range(2)]
            for worker in workers:
                _check_none(worker)
            await _serving(workers[1])
            await scenario(workers[0], workers[1])
            for worker in workers:
                await worker.aclose()
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())

    return run


def test_what_one_worker_was_asked_serves_at_another(run: Callable[[Scenario], None]) -> None:
    """The question that the first one was asked is a semantic hit at the second, which never was."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        assert (await _ask(first, LATER)).cache == "miss_stored"
        await _store(second).sync()
        hit = await _ask(second, REWORDED)
        assert (hit.cache, hit.cost_usd) == ("semantic", 0)
        assert hit.similarity > 0.9

    run(scenario)


def test_what_one_worker_has_purged_serves_nowhere(run: Callable[[Scenario], None]) -> None:
    """The user's questions go from every index."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        await _ask(first, LATER)
        await _store(second).sync()
        await first.purge(user="ann")
        await _store(second).sync()
        assert (await _ask(second, REWORDED)).cache == "miss_stored"

    run(scenario)


def test_an_answer_that_is_gone_takes_its_question_along(run: Callable[[Scenario], None]) -> None:
    """The model answers, and the next one is not led astray by it."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        await _ask(first, LATER)
        await _store(second).sync()
        await first._stores.cache_admin.purge(user=ASKER.user_key)
        assert (await _ask(second, REWORDED)).cache == "miss_stored"

    run(scenario)


def test_vectors_of_two_embedders_never_meet(run: Callable[[Scenario], None]) -> None:
    """At workers of two embedders whose vectors have the same length a question is of two scopes."""

    def of_one_letter(_: str) -> list[float]:
        return [1.0] * 256

    async def scenario(first: Turnout, second: Turnout) -> None:
        other = Turnout(first.settings, provider=ScriptedProvider(), scorer=FixedScorer(0.1), embedder=of_one_letter)
        for worker, text in ((first, LATER), (second, QUESTIONS[21]), (other, f"Hey! {LATER}")):
            await _ask(worker, text)
        await _store(first).sync()
        scopes = {entry.question: entry.scope for entry in _store(first)._index.entries}  # type: ignore[attr-defined]
        assert scopes[LATER] == scopes[QUESTIONS[21]] != scopes[f"Hey! {LATER}"]
        await other.aclose()

    run(scenario)


def _level(worker: Turnout) -> Any:
    assert worker._pipeline.semantic is not None
    return worker._pipeline.semantic.figures()["level"]


def _like(worker: Turnout, **semantic: Any) -> Turnout:
    """A worker that starts now, on the same Redis."""
    settings = worker.settings
    settings = replace(settings, cache=replace(settings.cache, semantic=replace(settings.cache.semantic, **semantic)))
    late = Turnout(settings, provider=ScriptedProvider(), scorer=FixedScorer(0.1))
    _check_none(late)
    return late


async def _all_sent(worker: Turnout) -> None:
    """So that the others can hear of its last check, too: they are sent at most once a second."""
    await worker._pipeline.drain()
    similar = worker._pipeline.semantic._similar  # type: ignore[union-attr]
    similar._shared._due = 0.0  # type: ignore[union-attr]
    await similar.settle()


async def _asked_once(worker: Turnout) -> None:
    """So that it hears what the others have checked."""
    worker._pipeline.semantic._similar._shared._due = 0.0  # type: ignore[union-attr]
    await worker.complete(f"What else is there, {secrets.token_hex(4)}?", caller=ASKER)
    await worker._pipeline.drain()


def test_what_one_worker_has_checked_all_may_serve_by(run: Callable[[Scenario], None]) -> None:
    """A worker that has checked nothing itself, and one that starts afterwards: a restart forgets no check. The same
    counts, each once."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        late = _like(first)
        await _all_sent(second)
        for worker in (first, late):
            assert _level(worker) is None
            await _asked_once(worker)
            assert _level(worker) == _level(second) is not None
            figures = [w._pipeline.semantic.figures() for w in (worker, second)]  # type: ignore[union-attr]
            assert figures[0]["checks"] == figures[1]["checks"] > 0
        await _store(late).sync()
        assert (await _ask(late, f"Hi! {QUESTIONS[0]} Thank you!")).cache == "semantic"
        await late.aclose()

    run(scenario)


def test_checks_of_another_verifier_open_nothing(run: Callable[[Scenario], None], tmp_path: Path) -> None:
    """Its probabilities say another thing."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        verifier = load_verifier(SHIPPED)
        path = tmp_path / "own.verifier"
        path.write_text(replace(verifier, intercept=verifier.intercept + 0.1).dumps())
        other = _like(first, verifier=str(path))
        await _asked_once(other)
        assert _level(second) is not None
        assert _level(other) is None
        await other.aclose()

    run(scenario)


def test_a_purge_of_everything_ends_the_checks_at_every_worker(run: Callable[[Scenario], None]) -> None:
    """One of a user leaves them: they are sums, and name nobody."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        await first.purge(user="ann")
        await _asked_once(first)
        assert _level(first) is not None
        await first.purge()
        assert _level(first) is None
        await _asked_once(second)
        assert _level(second) is None

    run(scenario)


MEND = "How do I {} a broken {} screen?"


async def _mixture(worker: Turnout) -> str:
    """How a question is answered whose words none had asked together."""
    await _asked_once(worker)
    await _store(worker).sync()
    return str((await _ask(worker, f"Hi! {MEND.format('really mend', 'smartphone')}")).cache)


async def _taught(worker: Turnout) -> None:
    for verb, what in (("mend", "phone"), ("really mend", "phone"), ("mend", "smartphone")):
        await _ask(worker, MEND.format(verb, what))


def _candidates(worker: Turnout) -> Any:
    return worker._pipeline.semantic._similar._candidates  # type: ignore[union-attr]


def _known(worker: Turnout) -> tuple[Any, ...]:
    """What a worker has learnt of pairs."""
    candidates = _candidates(worker)
    groups = {place: (group.taught, group.users) for place, group in candidates._groups.items()}
    taught = {owner: (each.words, each._found, set(each._refused)) for owner, each in candidates._taught.items()}
    return groups, taught, dict(candidates._wrong)


def _says(worker: Turnout, answer: str) -> None:
    provider = worker._parts.provider
    assert isinstance(provider, ScriptedProvider)
    provider.say(CHEAP, *[answer] * 20)


def test_what_checks_taught_one_worker_all_know(run: Callable[[Scenario], None]) -> None:
    """One that runs, and one that starts afterwards: a restart forgets no word. All know the same."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        _says(second, "With glue and patience.")
        await _taught(second)
        late = _like(first)
        for worker in (first, late):
            assert await _mixture(worker) == "semantic"
            assert _known(worker) == _known(second)
        assert _known(second)[0]
        await late.aclose()

    run(scenario)


def test_a_rating_at_another_worker_evicts_the_pair_everywhere(run: Callable[[Scenario], None]) -> None:
    """One call, at whichever worker; counted once; no worker serves the pair in any wording, nor one that starts."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        hit = await _ask(second, f"Hi! {QUESTIONS[0]} Thank you!")
        assert hit.cache == "semantic"
        wrong = second._pipeline.semantic.figures()["wrong"]  # type: ignore[union-attr]
        first._pipeline.semantic.report_wrong(hit.request_id)  # type: ignore[union-attr]
        for worker in (first, second, first):
            await _asked_once(worker)
        late = _like(first)
        await _asked_once(late)
        for worker in (first, second, late):
            assert _candidates(worker)._wrong
            assert _known(worker)[2] == _known(first)[2]
            assert worker._pipeline.semantic.figures()["wrong"] == wrong + 1  # type: ignore[union-attr]
        await late.aclose()

    run(scenario)


def test_what_a_user_taught_goes_everywhere_with_a_purge(run: Callable[[Scenario], None]) -> None:
    """From every worker and from Redis; what another worker learns of it meanwhile is not taken."""

    async def scenario(first: Turnout, second: Turnout) -> None:
        _says(second, "With glue and patience.")
        await _taught(second)
        await _asked_once(first)
        assert _known(first) == _known(second)
        assert _known(first)[0]
        await first.purge(user="ann")
        late = _like(first)
        for worker in (second, late):
            await _asked_once(worker)
        for worker in (first, second, late):
            assert _known(worker) == ({}, {}, {})
        await late.aclose()

    run(scenario)
