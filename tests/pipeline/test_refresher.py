"""Answers renewed before they expire: off the path, one call, for what is asked for alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.attempt_errors import ProviderFailed
from turnout.context import Caller
from turnout.errors import SettingsError
from turnout.pipeline.refresher import REMEMBERED
from turnout.records import Outcome
from turnout.settings import Settings
from turnout.testing import FixedScorer, Says, ScriptedProvider, settle

CACHE = {"ttl_s": 100, "refresh_ahead": 0.1}


def test_a_hit_near_the_end_renews_off_its_own_path() -> None:
    """The hit is the old answer, at once; from then on there is a new one, which outlives the old one's end."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, "old", Says("new", after_s=2))
        await w.ask("a")
        await w.clock.advance(91)
        hit = await w.ask("a")
        assert (hit.text, hit.outcome.cache, hit.outcome.age_s) == ("old", "hit", 91)
        assert (await w.ask("a")).text == "old"
        await w.clock.advance(3)
        assert (await w.ask("a")).text == "new"
        await w.clock.advance(50)
        later = await w.ask("a")
        assert (later.text, later.outcome.cache) == ("new", "hit")
        assert w.provider.calls.total() == 2

    run(scenario, cache=CACHE)


def test_how_many_tries_are_remembered_is_bounded() -> None:
    """Of more answers that were tried the memory begins anew, and this one is renewed all the same."""

    async def scenario(w: World) -> None:
        refresher = w.turnout._pipeline._refresher
        assert refresher is not None
        refresher._tried = {number.to_bytes(8, "big"): 0.0 for number in range(REMEMBERED)}
        await w.ask("a")
        await w.clock.advance(91)
        await w.ask("a")
        await w.clock.advance(3)
        assert len(refresher._tried) == 1
        assert w.provider.calls.total() == 2

    run(scenario, cache=CACHE)


def test_what_nobody_asks_for_near_its_end_is_left_to_expire() -> None:
    """A hit before the last share of its life is no reason; nor is none at all."""

    async def scenario(w: World) -> None:
        await w.ask("a")
        await w.ask("b")
        await w.clock.advance(89)
        assert (await w.ask("a")).outcome.cache == "hit"
        await w.clock.advance(60)
        assert w.provider.calls.total() == 2
        assert (await w.ask("a")).outcome.cache == "miss_stored"

    run(scenario, cache=CACHE)


def test_nothing_is_renewed_where_it_is_off() -> None:
    """By default."""

    async def scenario(w: World) -> None:
        await w.ask("a")
        await w.clock.advance(99)
        assert (await w.ask("a")).outcome.cache == "hit"
        await settle()
        assert w.provider.calls.total() == 1

    run(scenario, cache={"ttl_s": 100})


def test_who_asks_when_the_old_one_has_expired_joins_the_renewal() -> None:
    """A slow renewal is one call all the same."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, "old", Says("new", after_s=20))
        await w.ask("a")
        await w.clock.advance(95)
        await w.ask("a")
        await w.clock.advance(10)
        joined = await w.ask("a")
        assert (joined.text, joined.outcome.cache) == ("new", "collapsed")
        assert w.provider.calls.total() == 2

    run(scenario, cache=CACHE)


def test_a_renewal_that_fails_costs_nobody_an_answer() -> None:
    """The old answer serves until its end; it is tried again, but not at each hit."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, "old", *[ProviderFailed("out", status=500)] * 2, "new")
        await w.ask("a")
        await w.clock.advance(91)
        for _ in range(10):
            assert (await w.ask("a")).text == "old"
            await settle()
        assert w.provider.calls[CHEAP] == 2
        await w.clock.advance(3)
        assert (await w.ask("a")).text == "old"
        await settle()
        await w.clock.advance(3)
        await w.ask("a")
        await settle()
        assert (await w.ask("a")).text == "new"

    tiers = {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}}
    models = {name: dict(PRICES) for name in (CHEAP, DEAR)}
    run(scenario, cache=CACHE, retry={"attempts": 1}, tiers=tiers, models=models)


def test_it_is_paid_for_by_nobody_s_own_budget() -> None:
    """The user who hits is charged nothing for it, and no request more is counted."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, *[Says("a cent's worth", completion_tokens=1000)] * 3)
        await w.ask("a")
        await w.clock.advance(95)
        assert (await w.ask("a")).outcome.cost_usd == 0
        await settle()
        assert w.provider.calls.total() == 2
        # A cent of two and a half: the renewal's cent would leave no room for this one, nor the fourth request.
        assert (await w.ask("b")).outcome.cache == "miss_stored"

    run(scenario, cache=CACHE, budgets={"per_user": "0.025/30h"}, limits={"per_user": "3/hour"})


def test_the_app_s_budget_refuses_a_renewal() -> None:
    """Two cents of three are spent, and what is left holds no worst case: the old answer serves to its end."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, *[Says("a cent's worth", completion_tokens=1000)] * 2)
        for _ in range(3):
            assert (await w.ask("a")).text == "a cent's worth"
            await settle()
            await w.clock.advance(95)
        assert (await w.ask("a")).outcome.cache == "hit"
        assert w.provider.calls.total() == 2

    run(scenario, cache={"ttl_s": 200, "refresh_ahead": 0.6}, budgets={"total": "0.03/30h"})


def test_the_answer_stays_its_user_s() -> None:
    """A purge of the user takes the renewed one; another user never sees it."""

    async def scenario(w: World) -> None:
        await w.ask("a")
        await w.clock.advance(95)
        await w.ask("a")
        await settle()
        assert (await w.ask("a", user="bob")).outcome.cache == "miss_stored"
        assert await w.turnout.purge(user="ann") == 1
        assert (await w.ask("a")).outcome.cache == "miss_stored"

    run(scenario, cache=CACHE)


class _Outcomes:
    """An Observer that keeps outcomes."""

    def __init__(self) -> None:
        self.ended: list[Outcome] = []

    def request_started(self, request_id: str) -> None: ...

    def request_ended(self, token: Any, outcome: Outcome) -> None:
        self.ended.append(outcome)

    def attempt_started(self, token: Any, call: Any, *, tier: Any, stream: bool) -> None: ...

    def attempt_ended(self, token: Any, attempt: Any) -> None: ...

    def event(self, token: Any, name: str, attributes: Any) -> None: ...


def test_one_call_over_all_workers(redis_server: RedisServer) -> None:
    """Two workers, twenty hits each while the renewal is under way: one call, reported as one request of its own."""
    config = {
        "tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}},
        "models": {name: dict(PRICES) for name in (CHEAP, SPARE, DEAR)},
        "routing": {"threshold": 0.5},
        # From its first milliseconds on.
        "cache": {"ttl_s": 3600, "refresh_ahead": 0.999999},
        "redis": {"url": redis_server.url, "prefix": f"r-{secrets.token_hex(6)}", "timeout_s": 5},
    }
    caller = Caller(user="ann", endpoint="/ask")

    async def scenario() -> None:
        observer, provider = _Outcomes(), ScriptedProvider(clock=_Held())
        provider.say(CHEAP, "old", Says("new", after_s=1))
        workers = [
            Turnout(config, provider=provider, scorer=FixedScorer(0.1), observer=observer) for _ in range(2)
        ]  # fmt: skip
        await workers[0].complete("a", caller=caller)
        await workers[0]._pipeline.drain()
        await _older_than(workers[1], caller, 0.004)
        for _ in range(20):
            hits = [await worker.complete("a", caller=caller) for worker in workers]
            assert {(hit.text, hit.outcome.cache) for hit in hits} == {("old", "hit")}
        await _until(lambda: provider.calls.total() == 2)
        _Held.go.set()
        for worker in workers:
            await worker._pipeline.drain()
        assert provider.calls.total() == 2
        assert (await workers[1].complete("a", caller=caller)).text == "new"
        assert [outcome.user for outcome in observer.ended if outcome.cache == "miss_stored"] == [
            "ann",
            "turnout-refresh",
        ]
        for worker in workers:
            await worker.aclose()

    _Held.go = asyncio.Event()
    asyncio.run(scenario())


class _Held:
    """A clock for a provider: its sleeps last until `go` is set."""

    go: asyncio.Event

    async def sleep(self, seconds: float) -> None:
        await self.go.wait()


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def _older_than(worker: Turnout, caller: Caller, seconds: float) -> None:
    for _ in range(100_000):
        if ((await worker.complete("a", caller=caller)).outcome.age_s or 0.0) > seconds:
            return


@pytest.mark.parametrize("share", [1, -0.1, "soon"])
def test_a_share_is_at_least_0_and_below_1(share: Any) -> None:
    """At 1 each hit would make a call."""
    tiers = {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}}
    with pytest.raises(SettingsError, match="refresh_ahead"):
        Settings.of({"tiers": tiers, "cache": {"refresh_ahead": share}})
