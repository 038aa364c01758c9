"""What names a conversation does so on every protocol, and reaches no provider."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.wire_fuzz.doors import nothing
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.testing import FixedScorer, ScriptedProvider

BODIES = {
    "/v1/chat/completions": lambda text: {"messages": [{"role": "user", "content": text}]},
    "/v1/messages": lambda text: {"max_tokens": 9, "messages": [{"role": "user", "content": text}]},
    "/v1/responses": lambda text: {"input": text},
    "/v1/completions": lambda text: {"prompt": text},
}
NAMES: dict[str, dict[str, Any]] = {
    "field": {"thread_id": "t"},
    "metadata": {"metadata": {"session_id": "t"}},
    "cache key": {"prompt_cache_key": "t"},
}


@pytest.mark.parametrize("named", NAMES)
@pytest.mark.parametrize("path", BODIES)
def test_a_conversation_that_the_body_names_is_known(path: str, named: str) -> None:
    """Of an easy turn after a hard one it is asked whether it leaves its model. The legacy protocol has the configured
    field alone."""
    if path == "/v1/completions" and named != "field":
        pytest.skip("OpenAI's legacy completions have no metadata and no cache key")
    model = {"input_usd_per_million": 1, "output_usd_per_million": 1}
    config = {
        "tiers": {"cheap": {"models": ["openai/s"]}, "expensive": {"models": ["openai/l"]}},
        "models": {"openai/s": model, "openai/l": model},
        "routing": {"threshold": 0.5, "conversation": {"fields": ["thread_id"]}},
        "identity": {"user_header": "x-user-id"},
    }
    provider = ScriptedProvider()
    scorer = FixedScorer(0.1, scores={"hard": 0.9})

    async def main() -> list[str]:
        app = TurnoutMiddleware(nothing, turnout=Turnout(config, provider=provider, scorer=scorer))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://t") as client:
            reasons = []
            for text in ("hard", "easy"):
                body = {**BODIES[path](text), **NAMES[named]}
                answer = await client.post(path, json=body, headers={"x-user-id": "u"})
                assert answer.status_code == 200, answer.text
                reasons.append(answer.headers["x-turnout-reason"])
                await asyncio.sleep(0)
        return reasons

    # So short a prompt is worth no staying.
    assert asyncio.run(main()) == ["scored", "sticky_left"]
    assert len(provider.seen) == 2
    assert not any({"thread_id", "metadata"} & call.params.keys() for call in provider.seen)
