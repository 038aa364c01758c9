"""`[limits] per_user_concurrent`: no user has more calls in progress than that, and each place comes back at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, SPARE, World, run
from turnout.attempt_errors import ProviderFailed
from turnout.errors import RateLimitExceeded, ServedError
from turnout.openai.requests import from_call
from turnout.settings import Settings
from turnout.testing import Says, settle


def begin(w: World, text: str, user: str = "ann") -> asyncio.Task[Any]:
    request = from_call(text, stream=False, params={})
    return asyncio.ensure_future(w.turnout.completed(request, w.context(user)))


def test_one_call_too_many_is_429_and_another_users_is_not() -> None:
    """With Retry-After and without rate headers; equal requests share a place, and hits take none."""

    async def scenario(w: World) -> None:
        await w.ask("stored")
        w.provider.say(CHEAP, *[Says("slow", after_s=5)] * 3)
        tasks = [begin(w, "one"), begin(w, "two")]
        await settle()
        with pytest.raises(RateLimitExceeded) as refusal:
            await w.ask("three")
        assert refusal.value.told_status == 429
        assert refusal.value.told_code == "rate_limit_exceeded"
        assert refusal.value.retry_after_s == 1
        assert not [name for name, _ in refusal.value.headers if name.startswith("ratelimit")]
        assert (await w.ask("stored")).outcome.cache == "hit"
        tasks += [begin(w, "one"), begin(w, "three", user="bob")]
        for task in tasks:
            await w.clock.run(task)
        assert [task.result().outcome.cache for task in tasks].count("collapsed") == 1
        await w.ask("four")

    run(scenario, limits={"per_user_concurrent": 2})


def test_who_has_an_answer_may_ask_again_at_once() -> None:
    """Whole or streamed, answered or failed."""

    async def scenario(w: World) -> None:
        for number in range(3):
            await w.ask(f"whole {number}")
            assert await w.read(await w.open_stream(f"stream {number}")) == "ok"
        w.provider.say(CHEAP, ProviderFailed("no"), Says())
        w.provider.say(SPARE, ProviderFailed("no"))
        with pytest.raises(ServedError):
            await w.ask("fails")
        await w.ask("again")

    run(scenario, limits={"per_user_concurrent": 1}, retry={"attempts": 1}, fallback={"other_tier": "none"})


def test_who_leaves_gives_the_place_back() -> None:
    """In the middle of a call, and of a stream."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("slow", after_s=5), Says("a b c d", between_s=1))
        task = begin(w, "one")
        await settle()
        task.cancel()
        await settle()
        stream = await w.open_stream("two")
        await stream.aclose()
        await settle()
        await w.ask("three")

    run(scenario, limits={"per_user_concurrent": 1})


@pytest.mark.parametrize("wrong", [0, -1, "many", 1.5, True])
def test_a_number_that_is_none_is_refused_by_its_name(wrong: object) -> None:
    """By the check and at start."""
    tiers = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}
    with pytest.raises(Exception, match=r"limits\.per_user_concurrent"):
        Settings.from_mapping({"tiers": tiers, "limits": {"per_user_concurrent": wrong}})
