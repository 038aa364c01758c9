"""Vectors: looked up text by text, asked for once, limited, billed and guarded as chats are."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from turnout.attempt_errors import ProviderFailed
from turnout.context import Caller
from turnout.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NotCached,
    RateLimitExceeded,
    UpstreamUnavailable,
)
from turnout.openai.embeddings import embedding_from
from turnout.testing import Hangs, Says, vector_of

EMBED = "openai/embed-small"
MODELS = {name: dict(PRICES) for name in (CHEAP, SPARE, DEAR)} | {
    EMBED: {"input_usd_per_million": 1, "output_usd_per_million": 0}
}


async def embed(here: World, texts: Any, user: str = "ann", directives: Any = None, **fields: Any) -> Any:
    request = embedding_from({"input": texts, "model": EMBED, **fields})
    work = asyncio.ensure_future(here.turnout.embedded(request, here.context(user, **(directives or {}))))
    await here.clock.run(work)
    return work.result()


def play(scenario: Any, **sections: Any) -> None:
    run(scenario, **{"models": MODELS, **sections})


def test_a_batch_asks_for_what_is_missing_alone_and_keeps_the_order() -> None:
    """Two of five are new, one stands twice: the model is asked for two, and each text gets its own vector."""

    async def scenario(here: World) -> None:
        await embed(here, ["a", "b"])
        second = await embed(here, ["b", "c", "a", "d", "c"])
        assert [call.inputs for call in here.provider.seen] == [("a", "b"), ("c", "d")]
        assert second.vectors == [vector_of(text) for text in ("b", "c", "a", "d", "c")]
        assert second.outcome.cache == "miss_stored"
        whole = await embed(here, ["d", "a"])
        assert whole.vectors == [vector_of("d"), vector_of("a")]
        assert (whole.outcome.cache, whole.outcome.reason, whole.outcome.cost_usd) == ("hit", "cache", 0)
        assert len(here.provider.seen) == 2

    play(scenario)


def test_only_what_shapes_a_vector_and_its_user_keep_entries_apart() -> None:
    """Another size, another user and other tokens are other vectors; the end user's name is none."""

    async def scenario(here: World) -> None:
        await embed(here, "a")
        assert (await embed(here, "a", user="bob")).outcome.cache == "miss_stored"
        assert (await embed(here, "a", dimensions=8)).outcome.cache == "miss_stored"
        assert (await embed(here, [[97]])).outcome.cache == "miss_stored"
        assert (await embed(here, "[97]")).outcome.cache == "miss_stored"
        request = embedding_from({"input": "a", "model": EMBED, "user": "an end user"})
        assert (await here.turnout.embedded(request, here.context())).outcome.cache == "hit"

    play(scenario)


def test_directives_and_lifetime_are_obeyed() -> None:
    """no-store keeps nothing, no-cache asks again, max-age and ttl end an entry."""

    async def scenario(here: World) -> None:
        assert (await embed(here, "a", turnout={"cache": False})).outcome.cache == "request"
        assert (await embed(here, "a")).outcome.cache == "miss_stored"
        assert (await embed(here, "a", directives={"no_cache": True})).outcome.cache == "request_stored"
        assert (await embed(here, "a", directives={"only_if_cached": True})).outcome.cache == "hit"
        with pytest.raises(NotCached):
            await embed(here, ["a", "b"], directives={"only_if_cached": True})
        await here.clock.advance(100)
        assert (await embed(here, "a", directives={"max_age_s": 50.0})).outcome.cache == "miss_stored"
        await here.clock.advance(3601)
        assert (await embed(here, "a")).outcome.cache == "miss_stored"
        assert (await embed(here, "a")).outcome.cache == "hit"

    play(scenario)


def test_who_asks_for_a_text_under_way_waits_for_it() -> None:
    """Twenty at a time are one call, and so is what two batches share; the callers count, one pays."""

    async def scenario(here: World) -> None:
        here.provider.say(EMBED, Says(after_s=1.0))
        requests = [embedding_from({"input": ["same", f"own {at % 2}"], "model": EMBED}) for at in range(20)]
        work = asyncio.gather(*(here.turnout.embedded(request, here.context()) for request in requests))
        await here.clock.run(work)
        assert sorted(item for call in here.provider.seen for item in call.inputs) == ["own 0", "own 1", "same"]
        assert sum(answer.outcome.cost_usd > 0 for answer in work.result()) == 2
        assert [answer.outcome.cache for answer in work.result()].count("collapsed") == 18
        assert all(answer.vectors[0] == vector_of("same") for answer in work.result())

    play(scenario, limits={"per_user": "20/minute"})


def test_who_waited_for_a_call_that_failed_asks_himself() -> None:
    """The first caller's failure is his own."""

    async def scenario(here: World) -> None:
        here.provider.say(EMBED, Says(after_s=1.0, breaks=None), "ok")
        first = asyncio.ensure_future(
            here.turnout.embedded(embedding_from({"input": "a", "model": EMBED}), here.context())
        )
        await here.clock.advance(0.5)
        second = asyncio.ensure_future(embed(here, "a"))
        await here.clock.advance(0.1)
        first.cancel()
        await here.clock.run(second)
        assert second.result().vector == vector_of("a")
        assert second.result().outcome.cache == "miss_stored"
        assert here.provider.calls[EMBED] == 2

    play(scenario)


def test_retries_circuit_and_deadline_are_those_of_chats() -> None:
    """A sick model is tried again, then left alone; a hanging one ends at the deadline."""

    async def scenario(here: World) -> None:
        here.provider.say(EMBED, ProviderFailed("down", status=500), "ok")
        answer = await embed(here, "a")
        assert [attempt.error for attempt in answer.outcome.attempts] == ["provider_error", None]
        here.provider.say(EMBED, ProviderFailed("down", status=500))
        for at in range(3):
            with pytest.raises(UpstreamUnavailable):
                await embed(here, f"b{at}")
        called = here.provider.calls[EMBED]
        with pytest.raises(UpstreamUnavailable):
            await embed(here, "c")
        assert here.provider.calls[EMBED] == called
        await here.clock.advance(31)
        here.provider.say(EMBED, Hangs())
        with pytest.raises(DeadlineExceeded):
            await embed(here, "d", turnout={"deadline_ms": 500})

    play(scenario)


def test_the_worst_case_is_reserved_and_the_real_cost_settled() -> None:
    """Room for one worst case at a time: the second is refused meanwhile; what was not used comes back."""

    async def scenario(here: World) -> None:
        text = "x" * 500
        here.provider.say(EMBED, Says(after_s=1.0, prompt_tokens=100))
        first = asyncio.ensure_future(embed(here, text))
        await here.clock.advance(0.1)
        with pytest.raises(BudgetExceeded) as refused:
            await embed(here, "y" * 500)
        assert refused.value.status == 429
        await here.clock.run(first)
        assert first.result().outcome.cost_usd == Decimal("0.0001")
        assert (await embed(here, "y" * 500)).outcome.usage.prompt_tokens == 100
        # A hit spends nothing.
        assert (await embed(here, text)).outcome.cost_usd == 0

    play(scenario, budgets={"per_user": "0.0007/day"})


def test_rates_and_tokens_are_counted() -> None:
    """Hits count as requests, and take no tokens; the headers say what is left."""

    async def scenario(here: World) -> None:
        here.provider.say(EMBED, Says(prompt_tokens=3))
        first = await embed(here, "a")
        assert dict(first.outcome.limits)["ratelimit-policy"]
        await embed(here, "a")
        with pytest.raises(RateLimitExceeded) as refused:
            await embed(here, "a")
        assert refused.value.retry_after_s is not None
        with pytest.raises(RateLimitExceeded):
            await embed(here, "z" * 2000, user="bob")

    play(scenario, limits={"per_user": ["2/minute", "1000 tokens/minute"]})


def test_names_that_answer_embeddings() -> None:
    """In full, short, an alias, and auto for the only one of no tier; nothing else; and chats do not reach it."""

    async def scenario(here: World) -> None:
        for name in (EMBED, "embed-small", "vectors", "auto"):
            assert (await here.turnout.embed("a", model=name, caller=Caller(user="ann"))).outcome.model == EMBED
        for name in ("cheap", "openai/embed-smal", "nothing like it"):
            with pytest.raises(ModelNotFound):
                await here.turnout.embed("a", model=name)
        for name in (EMBED, "vectors"):
            with pytest.raises(ModelNotFound, match="in no tier"):
                await here.ask("a", params={"model": name})

    play(scenario, routing={"threshold": 0.5, "aliases": {"vectors": EMBED}})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 3]}, "input[1]"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "model": 3}, "model"),
        ({"input": "a", "api_base": "http://evil"}, "api_base"),
        ({"input": "a", "turnout": {"unknown": 1}}, "turnout.unknown"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    """400 with the field's name, before anything is asked."""
    with pytest.raises(InvalidRequest) as refused:
        embedding_from(fields)
    assert refused.value.param == param


def test_text_that_is_not_unicode_is_the_callers_fault() -> None:
    """A lone surrogate never reaches a model."""

    async def scenario(here: World) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await embed(here, ["a", "\ud800"])
        assert refused.value.param == "input[1]"
        assert not here.provider.seen

    play(scenario)


def test_a_user_who_is_purged_leaves_no_vector() -> None:
    """His texts' vectors go with his answers, and nobody else's."""

    async def scenario(here: World) -> None:
        await embed(here, ["a", "b"])
        await embed(here, "a", user="bob")
        assert await here.turnout.purge(user="ann") == 2
        assert (await embed(here, "a")).outcome.cache == "miss_stored"
        assert (await embed(here, "a", user="bob")).outcome.cache == "hit"

    play(scenario)
