"""The request path: which way each request goes."""

from __future__ import annotations

import pytest

from tests.pipeline.world import CHEAP, DEAR, SPARE, World, run
from turnout.attempt_errors import CallerFault, ProviderFailed, ProviderRateLimited
from turnout.errors import InvalidRequest, ModelNotFound, UpstreamUnavailable


def test_easy_goes_cheap_and_hard_goes_expensive() -> None:
    """By the score held against the threshold; the outcome tells it with its cost."""

    async def scenario(w: World) -> None:
        easy = (await w.ask("easy")).outcome
        hard = (await w.ask("hard")).outcome
        assert (easy.tier, easy.model, easy.reason) == ("cheap", CHEAP, "scored")
        assert (hard.tier, hard.model, hard.decision.score) == ("expensive", DEAR, 0.9)
        # 10 prompt tokens at 1 and 1 completion token at 10 USD a million.
        assert str(hard.cost_usd) == "0.00002"

    run(scenario)


def test_a_hit_calls_nobody_and_scores_nothing() -> None:
    """The second of two equal requests costs nothing and is told as a hit of the first one's decision."""

    async def scenario(w: World) -> None:
        await w.ask("hard")
        asked = w.scorer.asked
        hit = (await w.ask("hard")).outcome
        assert (hit.cache, hit.reason, hit.tier, hit.cost_usd) == ("hit", "cache", "expensive", 0)
        assert hit.decision.score == 0.9
        assert (w.scorer.asked, w.provider.calls.total()) == (asked, 1)

    run(scenario)


def test_the_next_candidate_answers_where_the_first_fails() -> None:
    """Other models of the tier first; the outcome says that it fell back."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("down"))
        outcome = (await w.ask()).outcome
        assert (outcome.model, outcome.reason, outcome.tier) == (SPARE, "fallback", "cheap")
        assert [a.error for a in outcome.attempts] == ["provider_error"] * 3 + [None]

    run(scenario)


def test_a_fallback_goes_downwards_only() -> None:
    """The cheap tier stands in for the expensive one, never the other way round."""

    async def scenario(w: World) -> None:
        w.provider.say(DEAR, ProviderFailed("down"))
        assert (await w.ask("hard")).outcome.model == CHEAP
        for name in (CHEAP, SPARE):
            w.provider.say(name, ProviderFailed("down"))
        w.provider.say(DEAR, "fine")
        with pytest.raises(UpstreamUnavailable) as refused:
            await w.ask("easy")
        assert refused.value.retry_after_s is not None

    run(scenario)


def test_a_forced_tier_or_model_is_never_left() -> None:
    """Not for fallback either; an unknown name is told with the nearest known one."""

    async def scenario(w: World) -> None:
        outcome = (await w.ask(params={"model": "large"})).outcome
        assert (outcome.model, outcome.reason, outcome.decision.score) == (DEAR, "forced", None)
        w.provider.say(DEAR, ProviderFailed("down"))
        with pytest.raises(UpstreamUnavailable):
            await w.ask("again", params={"model": "expensive"})
        with pytest.raises(ModelNotFound, match="openai/large"):
            await w.ask(params={"model": "openai/lrge"})

    run(scenario)


def test_the_callers_own_fault_is_told_without_retry() -> None:
    """One call, no fallback, a text of ours and the parameter; the provider's words are for the app's own code."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, CallerFault("bad image", status=400, param="messages"))
        with pytest.raises(InvalidRequest, match=r"refuses this request.*messages") as caught:
            await w.ask()
        assert (caught.value.param, caught.value.provider_text) == ("messages", "bad image")
        assert w.provider.calls.total() == 1

    run(scenario)


def test_retry_after_beyond_the_cap_goes_to_the_next_candidate_at_once() -> None:
    """Nobody sleeps for a provider's seven seconds while another is healthy."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderRateLimited("slow down", status=429, retry_after_s=7))
        outcome = (await w.ask()).outcome
        assert (outcome.model, outcome.waited_s, w.provider.calls[CHEAP]) == (SPARE, 0, 1)

    run(scenario)


def test_decide_calls_and_stores_nothing() -> None:
    """The decision alone."""

    async def scenario(w: World) -> None:
        decision = await w.turnout.decide("hard")
        assert (decision.tier, decision.candidates) == ("expensive", (DEAR, CHEAP, SPARE))
        assert w.provider.calls.total() == 0

    run(scenario)
