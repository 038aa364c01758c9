"""Limits and budgets on the request path: refused before a call, reserved at the worst, settled to the real."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from turnout import Turnout
from turnout.attempt_errors import ProviderFailed, ProviderRateLimited
from turnout.context import Caller
from turnout.errors import BudgetExceeded, RateLimitExceeded, SettingsError, UpstreamUnavailable
from turnout.openai.requests import from_call
from turnout.ports.limits import BudgetState
from turnout.quota.policies import Policies
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import Hangs, Says, settle

# 10 tokens of prompt and 2 of answer, at 1 and 10 USD a million.
REAL = 30_000
# "easy": 64 + 16 + 4 tokens of prompt at the most, 1000 of answer.
WORST = 84_000 + 10_000_000
CAPPED = {"budgets": {"total": "1/day", "default_max_output_tokens": 1000}}


def gate_of(w: World) -> MemoryGate:
    gate = w.turnout._stores.gate
    assert isinstance(gate, MemoryGate)
    return gate


def book(w: World) -> BudgetState:
    """The total budget as it stands."""
    claim = Policies(w.turnout.settings).budgets(Caller(user="ann"), w.clock.time())[-1]
    gate = gate_of(w)
    return gate.ledger.budget_states([claim], gate._now(), w.clock.time())[0]


async def begin(w: World, text: str = "easy", **params: Any) -> asyncio.Future[Any]:
    request = from_call(text, stream=bool(params.pop("stream", False)), params=params)
    verb = w.turnout.streamed if request.stream else w.turnout.completed
    work = asyncio.ensure_future(verb(request, w.context()))
    await settle()
    return work


def headers(of: Any) -> dict[str, str]:
    return dict(of.outcome.limits if hasattr(of, "outcome") else of.headers)


def test_a_used_up_limit_refuses_and_says_when_to_come_back() -> None:
    """429 with the seconds until a request fits again; others are not touched; then it fits."""

    async def scenario(w: World) -> None:
        await w.ask("one")
        await w.clock.advance(20)
        second = await w.ask("two")
        assert headers(second)["ratelimit-policy"] == '"user";q=2;w=60'
        assert headers(second)["ratelimit"] == '"user";r=0;t=40'
        with pytest.raises(RateLimitExceeded) as excinfo:
            await w.ask("three")
        assert (excinfo.value.told_status, excinfo.value.told_code) == (429, "rate_limit_exceeded")
        assert excinfo.value.retry_after_s == 40
        assert headers(excinfo.value)["ratelimit"] == '"user";r=0;t=40'
        await w.ask("three", user="bob")
        await w.clock.advance(40)
        await w.ask("three")

    run(scenario, limits={"per_user": "2/minute"})


def test_hits_and_followers_count_as_requests() -> None:
    """Not as tokens: they call nobody."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("ok", after_s=1))
        first, second = await begin(w), await begin(w)
        await w.clock.run(asyncio.gather(first, second))
        assert second.result().outcome.cache == "collapsed"
        hit = await w.ask()
        assert hit.outcome.cache == "hit"
        limits = headers(hit)["ratelimit"]
        assert limits.startswith('"user";r=0;')
        assert '"user-tokens-3600s";r=4989' in limits
        with pytest.raises(RateLimitExceeded):
            await w.ask()
        assert w.provider.calls[CHEAP] == 1

    run(scenario, limits={"per_user": ["3/minute", "5000 tokens/hour"]})


def test_a_token_limit_takes_the_worst_and_gives_back_what_was_not_used() -> None:
    """While the call is out its worst case counts; after it the 12 tokens that it used."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("two words", after_s=1))
        first = await begin(w, max_tokens=400)
        with pytest.raises(RateLimitExceeded) as excinfo:
            await w.ask("other", params={"max_tokens": 400})
        assert excinfo.value.retry_after_s == 1
        await w.clock.run(first)
        again = await begin(w, "other", max_tokens=400)
        await w.clock.run(again)
        assert w.provider.seen[0].params["max_tokens"] == 400
        with pytest.raises(RateLimitExceeded, match="lower max_tokens"):
            await w.ask("more", params={"max_tokens": 900})

    run(scenario, limits={"per_user": "900 tokens/minute"})


def test_a_refused_budget_gives_the_rate_back() -> None:
    """Of all that apply."""

    async def scenario(w: World) -> None:
        for _ in range(3):
            with pytest.raises(BudgetExceeded) as excinfo:
                await w.ask()
            assert headers(excinfo.value)["ratelimit"] == '"user";r=1;t=0'
        assert w.provider.calls[CHEAP] == 0

    run(scenario, limits={"per_user": "1/minute"}, budgets={"total": "0.001/day"})


def test_errors_tell_the_limits_too() -> None:
    """A 503 after the gate carries the headers, for each of those who shared the call."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("no"))
        w.provider.say(SPARE, ProviderFailed("no"))
        first, second = await begin(w), await begin(w)
        await w.clock.run(asyncio.gather(first, second, return_exceptions=True))
        actual = [headers(work.exception())["ratelimit"] for work in (first, second)]
        assert actual == ['"user";r=4;t=60', '"user";r=3;t=60']

    run(scenario, limits={"per_user": "5/minute"})


def test_the_worst_is_reserved_before_the_call_and_the_real_cost_settled_after() -> None:
    """While a call is out its worst case stands; after it what it cost, and no reservation."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("two words", after_s=1))
        work = await begin(w, "easy", model="cheap")
        assert (book(w).spent, book(w).reserved) == (0, WORST)
        await w.clock.run(work)
        assert (book(w).spent, book(w).reserved) == (REAL, 0)
        assert w.provider.seen[0].params["max_tokens"] == 1000

    run(scenario, **CAPPED)


def test_without_a_budget_no_cap_is_sent() -> None:
    """The caller's parameters pass on as they are."""

    async def scenario(w: World) -> None:
        await w.ask()
        assert "max_tokens" not in w.provider.seen[0].params

    run(scenario)


def test_concurrent_calls_never_reserve_beyond_the_budget() -> None:
    """Ten thousand nano-USD short of three worst cases: two go, the third is told to come back soon."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("two words", after_s=1))
        works = [await begin(w, f"ask{n}", model="cheap") for n in range(6)]
        refused = [work for work in works if work.done()]
        assert len(refused) == 4
        error = refused[0].exception()
        assert isinstance(error, BudgetExceeded)
        assert (error.told_status, error.type, error.told_code) == (429, "insufficient_quota", "budget_exceeded")
        assert error.retry_after_s == 1
        await w.clock.run(asyncio.gather(*works, return_exceptions=True))
        await w.ask("again", params={"model": "cheap"})
        assert book(w).spent == 3 * REAL

    run(scenario, budgets={"total": "0.0302/day", "default_max_output_tokens": 1000})


def test_an_exhausted_budget_says_when_its_window_turns() -> None:
    """Nothing is out that might come back: until midnight, and then it fits."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("word " * 900))
        await w.ask("one", params={"model": "cheap"})
        with pytest.raises(BudgetExceeded) as excinfo:
            await w.ask("two", params={"model": "cheap"})
        midnight = 86400 - w.clock.time() % 86400
        assert excinfo.value.retry_after_s == pytest.approx(midnight)
        await w.clock.advance(midnight)
        await w.ask("two", params={"model": "cheap"})

    run(scenario, budgets={"total": "0.011/day", "default_max_output_tokens": 1000})


def test_a_call_whose_usage_never_came_counts_at_its_worst() -> None:
    """A provider's error, a timeout, a client that leaves; a 429 was never billed."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("no"))
        with suppress(UpstreamUnavailable):
            await w.ask("easy", params={"model": CHEAP})
        assert (book(w).spent, book(w).reserved) == (WORST, 0)
        w.provider.say(CHEAP, ProviderRateLimited("slow down"))
        with suppress(UpstreamUnavailable):
            await w.ask("easy", params={"model": CHEAP})
        assert (book(w).spent, book(w).reserved) == (WORST, 0)
        w.provider.say(CHEAP, Hangs())
        work = await begin(w, "easy", model=CHEAP)
        work.cancel()
        await settle()
        assert (book(w).spent, book(w).reserved) == (2 * WORST, 0)

    run(scenario, **CAPPED, retry={"attempts": 1})


def test_a_client_that_leaves_before_the_call_costs_nothing() -> None:
    """Cancelled in the turn in which it entered: no call, no reservation left."""

    async def scenario(w: World) -> None:
        for turns in range(6):
            request = from_call(f"ask{turns}", stream=False, params={})
            work = asyncio.ensure_future(w.turnout.completed(request, w.context()))
            for _ in range(turns):
                await asyncio.sleep(0)
            called = sum(w.provider.calls.values())
            work.cancel()
            await settle()
            assert book(w).reserved == 0
            if sum(w.provider.calls.values()) == called == 0:
                assert book(w).spent == 0
        assert w.provider.open == 0

    run(scenario, budgets={"total": "1/day"})


def test_a_stream_that_is_left_counts_at_what_can_have_been_written_and_a_whole_one_at_its_cost() -> None:
    """What was told of its usage decides."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("two words", between_s=1))
        stream = await w.open_stream()
        await w.read(stream)
        assert (book(w).spent, book(w).reserved) == (REAL, 0)
        stream = await w.open_stream("easy", no_store=True)
        await stream.aclose()
        await settle()
        assert 84_000 + 512 * 10_000 < book(w).spent - REAL < 84_000 + 600 * 10_000
        assert book(w).reserved == 0

    run(scenario, **CAPPED)


def test_a_retry_reserves_more_or_is_not_made() -> None:
    """The first attempt's worst case is gone; the second needs as much again."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("no"), Says("two words"))
        await w.ask("easy", params={"model": CHEAP})
        assert (book(w).spent, book(w).reserved) == (WORST + REAL, 0)

    async def without_room(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("no"), Says("two words"))
        with pytest.raises(UpstreamUnavailable):
            await w.ask("easy", params={"model": CHEAP})
        assert w.provider.calls[CHEAP] == 1
        assert book(w).spent == WORST

    run(scenario, **CAPPED)
    run(without_room, budgets={"total": "0.0102/day", "default_max_output_tokens": 1000})


def test_every_choice_is_reserved() -> None:
    """`n` multiplies the answer's worst case; the caller's cap stands in the default's place."""

    async def scenario(w: World) -> None:
        work = await begin(w, "easy", model=CHEAP, n=3, max_completion_tokens=2000)
        w.provider.say(CHEAP, Hangs())
        assert {"n": 3, "max_completion_tokens": 2000}.items() <= w.provider.seen[0].params.items()
        await w.clock.run(work)

    async def hanging(w: World) -> None:
        w.provider.say(CHEAP, Hangs())
        work = await begin(w, "easy", model=CHEAP, n=3, max_completion_tokens=2000)
        assert book(w).reserved == 84_000 + 3 * 2000 * 10_000
        work.cancel()
        await settle()

    run(scenario, **CAPPED)
    run(hanging, **CAPPED)


DEAR_WORLD: dict[str, Any] = {
    "models": {CHEAP: PRICES, SPARE: PRICES, DEAR: {"input_usd_per_million": 10, "output_usd_per_million": 100}},
}


def test_an_exhausted_budget_may_be_served_by_the_cheap_tier() -> None:
    """`on_exhausted = "cheap"`: reason `budget`; a forced expensive tier is refused all the same."""

    async def scenario(w: World) -> None:
        answer = await w.ask("hard one")
        assert (answer.outcome.tier, answer.outcome.reason) == ("cheap", "budget")
        assert answer.outcome.decision.score == 0.9
        with pytest.raises(BudgetExceeded):
            await w.ask("hard two", params={"model": "expensive"})
        assert (await w.ask("easy")).outcome.reason == "scored"
        assert w.provider.calls[DEAR] == 0
        assert book(w).reserved == 0

    run(scenario, **DEAR_WORLD, budgets={"total": "0.05/day", "on_exhausted": "cheap"})


def test_refuse_still_serves_what_is_easy() -> None:
    """A hard request is refused and its rate given back; an easy one fits and is served."""

    async def scenario(w: World) -> None:
        for _ in range(3):
            with pytest.raises(BudgetExceeded):
                await w.ask("hard one")
        assert (await w.ask("easy")).outcome.tier == "cheap"
        assert (book(w).spent, book(w).reserved) == (REAL - 10_000, 0)

    run(scenario, **DEAR_WORLD, budgets={"total": "0.05/day"}, limits={"per_user": "1/minute"})


def test_pacing_raises_the_bar_when_spend_runs_ahead() -> None:
    """A request that would be expensive by the configured point is cheap now, and its reason says why."""

    async def scenario(w: World) -> None:
        await w.clock.advance(86400 - w.clock.time() % 86400)
        w.provider.say(DEAR, Says("word " * 900))
        first = await w.ask("hard one")
        assert (first.outcome.tier, first.outcome.reason) == ("expensive", "scored")
        for number in range(3):
            await w.ask(f"hard {number}")
        paced = await w.ask("hard last")
        assert (paced.outcome.tier, paced.outcome.reason) == ("cheap", "pacing")
        assert paced.outcome.decision.threshold > 0.9
        await w.clock.advance(86400)
        assert (await w.ask("hard more")).outcome.reason == "scored"

    run(scenario, **DEAR_WORLD, budgets={"total": "0.6/day", "pacing": True})


def test_a_model_without_a_price_is_refused_at_start_where_a_budget_is_set() -> None:
    """The message names it and says what to do; litellm's own table prices the models that it knows."""
    tiers = {"cheap": {"models": ["openai/gpt-4o-mini"]}, "expensive": {"models": ["openai/nobody-knows"]}}
    with pytest.raises(SettingsError, match=r"openai/nobody-knows: set input_usd_per_million"):
        Turnout({"tiers": tiers, "budgets": {"total": "1/day"}})
    Turnout({"tiers": tiers})
    Turnout({"tiers": tiers | {"expensive": {"models": ["openai/gpt-4o"]}}, "budgets": {"total": "1/day"}})


def tell(w: World, prompt: int, completion: int, total: int) -> None:
    """From now on the cheap model answers with this usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    w.provider.say(CHEAP, Says("ok", usage=usage))


def test_what_only_the_total_tells_is_billed() -> None:
    """Reasoning that stands beside `completion_tokens`: the budget pays for it."""

    async def scenario(w: World) -> None:
        tell(w, 10, 2, 512)
        answer = await w.ask("easy")
        assert answer.usage.completion_tokens == 502
        assert answer.to_openai()["usage"]["total_tokens"] == 512
        assert book(w).spent == 10 * 1000 + 502 * 10_000

    run(scenario, **CAPPED)


def test_an_impossible_usage_counts_its_worst_case_once(caplog: pytest.LogCaptureFixture) -> None:
    """Neither what was told nor nothing; the log says so once, and the caller is not told it either."""

    async def scenario(w: World) -> None:
        tell(w, 10, 10**17, 20)
        for turn in (1, 2):
            answer = await w.ask(f"{turn}asy")
            assert answer.to_openai()["usage"]["completion_tokens"] < 10
            assert book(w).spent == turn * WORST
        assert (book(w).reserved, len([r for r in caplog.records if "cannot have" in r.getMessage()])) == (0, 1)

    run(scenario, budgets={**CAPPED["budgets"], "total": "5/day"})


def test_more_than_was_reserved_is_billed_as_told_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It can be true: a provider may count what no bound foresees."""

    async def scenario(w: World) -> None:
        tell(w, 10, 2000, 2010)
        await w.ask("one")
        await w.ask("two")
        assert book(w).spent == 2 * (10 * 1000 + 2000 * 10_000)
        assert len([r for r in caplog.records if "billed as told" in r.getMessage()]) == 1

    run(scenario, **CAPPED)


def test_no_more_is_reserved_and_sent_than_the_model_can_write() -> None:
    """A cap above the model's own takes nothing from the others, and no provider refuses it."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Hangs())
        work = await begin(w, max_tokens=998_000)
        assert book(w).reserved == WORST
        work.cancel()
        await settle()
        assert w.provider.seen[0].params["max_tokens"] == 1000

    models = {name: {**PRICES, "max_output_tokens": 1000} for name in (CHEAP, SPARE, DEAR)}
    run(scenario, models=models, **CAPPED)


def test_a_follower_is_not_bound_to_its_leaders_budget() -> None:
    """The leader cannot pay for the stand-in; who follows can, and pays for that alone, once for all."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("never", after_s=5, breaks=ProviderFailed("sick")))
        w.provider.say(SPARE, "from the spare")
        capped = {"max_tokens": 600}
        poor = asyncio.ensure_future(w.ask("same", user="ann", params=capped))
        await settle()
        rich = [asyncio.ensure_future(w.ask("same", user=user, params=capped)) for user in ("bob", "cat")]
        with pytest.raises(UpstreamUnavailable):
            await poor
        assert [(await follower).text for follower in rich] == ["from the spare"] * 2
        assert (w.provider.calls[CHEAP], w.provider.calls[SPARE]) == (1, 1)

    run(scenario, cache={"scope": "app"}, budgets={"per_user": "0.01/day"}, retry={"attempts": 1})
