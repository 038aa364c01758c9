"""Whether it fits: windows and abilities, before any model is called."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World, run
from turnout.asgi import TurnoutMiddleware
from turnout.attempt_errors import ContextTooLong
from turnout.errors import InvalidRequest
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.turnout import Turnout
from turnout.upstream.token_limits import limit_table

LONG = "word " * 150_000


def windows(cheap: int, spare: int, dear: int) -> dict[str, Any]:
    sizes = {CHEAP: cheap, SPARE: spare, DEAR: dear}
    return {name: {**PRICES, "max_input_tokens": size} for name, size in sizes.items()}


def test_a_long_prompt_goes_to_the_tier_that_holds_it_without_a_failed_call() -> None:
    """A 150,000-token prompt, a 128,000-token cheap tier: reason `context`, also in the decision alone."""

    async def scenario(w: World) -> None:
        outcome = (await w.ask(LONG)).outcome
        assert (outcome.tier, outcome.model, outcome.reason) == ("expensive", DEAR, "context")
        assert (dict(w.provider.calls), outcome.skipped) == ({DEAR: 1}, ())
        assert (await w.turnout.decide(LONG)).reason == "context"
        assert (await w.ask("easy")).outcome.reason == "scored"

    run(scenario, models=windows(128_000, 128_000, 200_000))


def test_the_tiers_own_larger_model_comes_first() -> None:
    """No move where a fallback of the tier holds it; the smaller one is not asked, for a fallback either."""

    async def scenario(w: World) -> None:
        outcome = (await w.ask(LONG)).outcome
        assert (outcome.tier, outcome.model, outcome.decision.candidates) == ("cheap", SPARE, (SPARE,))

    run(scenario, models=windows(128_000, 200_000, 400_000))


@pytest.mark.parametrize("model", ["auto", "expensive", DEAR])
def test_what_fits_nowhere_is_refused_at_once(model: str) -> None:
    """400 with the window; a forced tier is not left."""

    async def scenario(w: World) -> None:
        with pytest.raises(InvalidRequest, match="64000 tokens") as refused:
            await w.ask(LONG, params={"model": model})
        assert (refused.value.told_status, refused.value.told_code) == (400, "context_length_exceeded")
        assert not w.provider.calls

    run(scenario, models=windows(32_000, 32_000, 64_000))


def test_between_the_estimates_it_is_asked_and_the_providers_word_moves_it_up() -> None:
    """What the model itself finds too long goes to the other tier's larger window."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ContextTooLong("too long", window=1_000))
        outcome = (await w.ask("easy")).outcome
        assert (outcome.tier, outcome.model, outcome.reason) == ("expensive", DEAR, "context")
        assert dict(w.provider.calls) == {CHEAP: 1, DEAR: 1}

    run(scenario, models=windows(1_000, 1_000, 2_000))


def test_a_move_up_is_in_the_books() -> None:
    """Its worst case is reserved before the call, and its cost settled."""

    async def scenario(w: World) -> None:
        outcome = (await w.ask(LONG)).outcome
        assert (outcome.tier, outcome.cost_usd) == ("expensive", outcome.attempts[0].cost_usd)

    run(scenario, models=windows(128_000, 128_000, 200_000), budgets={"total": "9/day"})


def test_output_counts_where_the_window_is_shared() -> None:
    """By litellm's table: gpt-4o's holds both, gpt-5's and gemini's are for input alone, as is the settings' own."""
    names = ["openai/gpt-4o", "openai/gpt-5", "gemini/gemini-2.5-pro", "anthropic/claude-sonnet-4-5"]
    row = {"max_input_tokens": 1000, "max_output_tokens": 500}
    table = {name: {**row, "litellm_provider": name.partition("/")[0]} for name in names}
    settings = Turnout(
        {"tiers": {"cheap": {"models": names}, "expensive": {"models": [DEAR]}}}, provider=ScriptedProvider()
    ).settings
    limits = limit_table(settings, table)
    assert [limits[name].hold(800, 300) for name in names] == [False, True, True, False]
    assert limits[DEAR].hold(10**9, 0)


IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


def test_an_image_goes_to_a_model_that_sees() -> None:
    """By litellm's table; where no model is known to see, it is asked all the same."""

    async def main(cheap: str, dear: str) -> tuple[str, str]:
        config = {
            "tiers": {"cheap": {"models": [cheap]}, "expensive": {"models": [dear]}},
            "routing": {"threshold": 0.5},
        }
        t = Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer(0.1))
        decision = await t.decide([{"role": "user", "content": IMAGE}])
        return decision.tier, decision.reason

    assert asyncio.run(main("openai/gpt-3.5-turbo", "openai/gpt-4o")) == ("expensive", "ability")
    assert asyncio.run(main("openai/gpt-3.5-turbo", "openai/gpt-4")) == ("cheap", "scored")
    assert asyncio.run(main("openai/gpt-4o-mini", "openai/gpt-4o")) == ("cheap", "scored")


def test_the_model_list_tells_windows() -> None:
    """Of a tier its largest, of `auto` the largest of all."""
    config = {
        "tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}},
        "models": windows(1_000, 2_000, 3_000),
    }
    app = TurnoutMiddleware(Starlette(), turnout=Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer(0.1)))
    with TestClient(app) as client:  # type: ignore[arg-type]
        listing = {model["id"]: model.get("context_window") for model in client.get("/v1/models").json()["data"]}
        assert client.get(f"/v1/models/{CHEAP}").json()["context_window"] == 1_000
    assert (listing["auto"], listing["cheap"], listing["expensive"]) == (3_000, 2_000, 3_000)
