"""`[routing] forced`: whom a caller from outside may choose by name, and that the app's own code always may."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from turnout.asgi import TurnoutMiddleware
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.turnout import Turnout

MODELS = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}
# What the scorer alone decides: cheap.
AUTO = ("cheap", "forced_ignored")


def turnout(forced: str) -> Turnout:
    config = {"tiers": MODELS, "routing": {"threshold": 0.5, "forced": forced}}
    return Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer(0.1))


@pytest.mark.parametrize(
    ("forced", "model", "expected"),
    [
        ("all", "expensive", ("expensive", "forced")),
        ("all", "openai/large", ("expensive", "forced")),
        ("cheap", "expensive", AUTO),
        ("cheap", "large", AUTO),
        ("cheap", "cheap", ("cheap", "forced")),
        ("cheap", "openai/small", ("cheap", "forced")),
        ("none", "expensive", AUTO),
        ("none", "cheap", AUTO),
        ("none", "auto", ("cheap", "scored")),
    ],
)
def test_a_caller_chooses_no_more_than_the_settings_allow(forced: str, model: str, expected: tuple[str, str]) -> None:
    """By tier, by name and by short name; what is ignored is routed, and says so."""
    app = TurnoutMiddleware(Starlette(), turnout=turnout(forced))
    with TestClient(app) as client:  # type: ignore[arg-type]
        body = {"model": model, "messages": [{"role": "user", "content": "q"}]}
        headers = client.post("/v1/chat/completions", json=body).headers
    assert (headers["x-turnout-tier"], headers["x-turnout-reason"]) == expected


def test_a_tier_named_in_the_extension_is_no_way_around_it() -> None:
    """Beside `auto`, as by the model's name."""
    app = TurnoutMiddleware(Starlette(), turnout=turnout("cheap"))
    with TestClient(app) as client:  # type: ignore[arg-type]
        body = {"model": "auto", "turnout": {"tier": "expensive"}, "messages": [{"role": "user", "content": "q"}]}
        headers = client.post("/v1/chat/completions", json=body).headers
    assert (headers["x-turnout-tier"], headers["x-turnout-reason"]) == AUTO


def test_the_apps_own_code_may_always_choose() -> None:
    """By the verbs, and over the transport."""

    async def main() -> None:
        async with turnout("none") as t:
            assert (await t.complete("q", model="expensive")).outcome.tier == "expensive"
            async with httpx.AsyncClient(transport=t.transport(), base_url="http://turnout/v1") as client:
                body = {"model": "expensive", "messages": [{"role": "user", "content": "r"}]}
                reply = await client.post("/chat/completions", json=body)
            assert reply.headers["x-turnout-reason"] == "forced"

    import asyncio

    asyncio.run(main())
