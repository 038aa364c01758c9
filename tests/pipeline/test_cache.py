"""What is stored and what never is; one entry serves a stream and a whole answer."""

from __future__ import annotations

import pytest

from tests.pipeline.world import CHEAP, SPARE, World, run
from turnout.attempt_errors import CallerFault, MalformedReply, ProviderFailed
from turnout.errors import NotCached, ServedError
from turnout.testing import Says


def test_one_entry_serves_both_forms() -> None:
    """A stream from a whole answer and a whole answer from a stream, usage and age with them."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("one two three"))
        asked = await w.ask("whole first")
        stream = await w.open_stream("whole first")
        assert await w.read(stream) == "one two three"
        assert await w.read(await w.open_stream("stream first")) == "one two three"
        await w.clock.advance(7)
        hit = await w.ask("stream first")
        assert (hit.text, hit.outcome.cache, hit.outcome.age_s) == ("one two three", "hit", 7)
        assert hit.usage == asked.usage
        assert w.provider.calls.total() == 2

    run(scenario)


@pytest.mark.parametrize(
    "failure", [ProviderFailed("no", status=500), MalformedReply("no"), CallerFault("no", status=400)]
)
def test_errors_are_never_stored(failure: ProviderFailed) -> None:
    """The next one asks again."""

    async def scenario(w: World) -> None:
        for model in (CHEAP, SPARE):
            w.provider.say(model, failure)
        with pytest.raises(ServedError):
            await w.ask("a")
        w.provider.say(CHEAP, "well")
        assert (await w.ask("a")).outcome.cache == "miss_stored"

    run(scenario, retry={"attempts": 1})


def test_a_stream_that_breaks_off_or_is_left_is_never_stored() -> None:
    """Nor is half an answer anybody's hit."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("one two", breaks=ProviderFailed("cut")), "well")
        with pytest.raises(ServedError):
            await w.read(await w.open_stream("a"))
        assert (await w.ask("a")).outcome.cache == "miss_stored"

        w.provider.say(CHEAP, Says("one two three", between_s=1))
        left = await w.open_stream("b")
        await left.aclose()
        await w.turnout._pipeline.drain()
        w.provider.say(CHEAP, "well")
        assert (await w.ask("b")).outcome.cache == "miss_stored"

    run(scenario)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_an_answer_that_was_cut_is_not_stored_as_a_stream_either(finish: str) -> None:
    """Whatever form it was asked for in."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("cut", finish=finish))
        await w.read(await w.open_stream("a"))
        assert (await w.ask("a")).outcome.cache == "miss"
        assert w.provider.calls.total() == 2

    run(scenario)


def test_no_store_is_neither_looked_up_nor_stored() -> None:
    """`no-cache` is not looked up, but stored anew."""

    async def scenario(w: World) -> None:
        await w.ask("a")
        assert (await w.ask("a", no_store=True)).outcome.cache == "request"
        assert (await w.ask("b", no_store=True)).outcome.cache == "request"
        assert (await w.ask("b")).outcome.cache == "miss_stored"
        w.provider.say(CHEAP, "new")
        assert (await w.ask("a", no_cache=True)).outcome.cache == "request_stored"
        assert (await w.ask("a")).text == "new"

    run(scenario)


def test_only_if_cached_is_answered_from_the_store_or_not_at_all() -> None:
    """Counted as a request, and nothing is reserved. What is too old, or not fresh for long enough, will not do."""

    async def scenario(w: World) -> None:
        for directives in ({}, {"no_store": True}, {"no_cache": True}):
            with pytest.raises(NotCached):
                await w.ask("a", only_if_cached=True, **directives)
        await w.ask("a")
        assert (await w.ask("a", only_if_cached=True)).outcome.cache == "hit"
        assert (await w.ask("a", only_if_cached=True, min_fresh_s=1000.0)).outcome.cache == "hit"
        await w.clock.advance(100)
        for directives in ({"max_age_s": 50.0}, {"min_fresh_s": 3550.0}):
            with pytest.raises(NotCached) as refused:
                await w.ask("a", only_if_cached=True, **directives)
        assert ("cache-status", "turnout; detail=only-if-cached") in refused.value.headers
        assert any(name == "ratelimit" for name, _ in refused.value.headers)
        assert w.provider.calls.total() == 1
        assert (await w.ask("a", min_fresh_s=3550.0)).outcome.cache == "miss_stored"

    run(scenario, budgets={"total": "9/day"}, limits={"per_user": "100/minute"})


def test_purging_is_told_how_many() -> None:
    """By user; the others' answers stay."""

    async def scenario(w: World) -> None:
        for user in ("ann", "bob"):
            await w.ask("a", user=user)
        assert await w.turnout.purge(user="ann") == 1
        assert (await w.ask("a", user="ann")).outcome.cache == "miss_stored"
        assert (await w.ask("a", user="bob")).outcome.cache == "hit"

    run(scenario)


def test_users_share_no_answers_unless_told_so() -> None:
    """Scope "user" keeps them apart, scope "app" does not; anonymous callers share none under "user"."""

    async def apart(w: World) -> None:
        await w.ask(user="ann")
        assert (await w.ask(user="bob")).outcome.cache == "miss_stored"
        assert (await w.ask(user="anonymous")).outcome.cache == "bypass"
        assert (await w.ask(user="anonymous")).outcome.cache == "bypass"

    async def together(w: World) -> None:
        await w.ask(user="ann")
        assert (await w.ask(user="bob")).outcome.cache == "hit"

    run(apart)
    run(together, cache={"scope": "app"})


def test_directives_of_the_caller_are_honoured() -> None:
    """no-store stores nothing; no-cache asks anew and stores; max-age refuses what is older."""

    async def scenario(w: World) -> None:
        assert (await w.ask(no_store=True)).outcome.cache == "request"
        assert (await w.ask()).outcome.cache == "miss_stored"
        assert (await w.ask(no_cache=True)).outcome.cache == "request_stored"
        await w.clock.advance(10)
        assert (await w.ask(max_age_s=20)).outcome.cache == "hit"
        assert (await w.ask(max_age_s=5)).outcome.cache == "miss_stored"

    run(scenario)


def test_a_truncated_answer_is_not_stored() -> None:
    """Finish reason `length`: told as a miss that is not stored, and asked again."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("cut", finish="length"))
        assert (await w.ask()).outcome.cache == "miss"
        assert (await w.ask()).outcome.cache == "miss"

    run(scenario)
