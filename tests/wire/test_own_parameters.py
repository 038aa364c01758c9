"""What the settings' own parameters add to a request that is really sent: its bill stays within what was reserved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scripted_provider import Answer, Raw, Received, ScriptedServer
from tests.wire.test_matrix import MODELS, ask
from tests.wire.test_odd_answers import raw

MODEL, BASE = MODELS["openai"]
CAP = 50
FIND = {"type": "function", "function": {"name": "find", "description": "Finds a row. " * 90, "parameters": {}}}
PARAMS: dict[str, Any] = {"tools": [FIND], "n": 2, "max_tokens": CAP, "response_format": {"type": "json_object"}}
PRICE = {"input_usd_per_million": 1, "output_usd_per_million": 10}


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


def dearest(received: Received) -> Raw:
    """An answer that is billed for each byte of what came as a token, and for each choice up to its cap."""
    body = received.body
    assert (body["tools"], body["n"], body["max_tokens"]) == ([FIND], 2, CAP)
    read, written = len(json.dumps(body)), 2 * CAP
    return raw(False, {"content": "so"}, {"prompt_tokens": read, "completion_tokens": written})


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_request_with_tools_of_the_settings_is_billed_within_its_reservation(
    server: ScriptedServer, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A budget that its prompt alone would fit refuses it before it is sent; one that holds its worst case pays it."""

    async def post(client: Any, model: str) -> tuple[int, str]:
        server.script = dearest
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        response = await client._client.post(f"{client.base_url}chat/completions", json=body)
        return response.status_code, response.text

    def answered(budget: str) -> Any:
        params = {**PARAMS, "api_base": server.origin + BASE}
        models = {MODEL: {"params": params, **PRICE}, "openai/unused": PRICE}
        return ask(server, "openai", transport, Answer(), post, models=models, budgets={"total": budget})

    before = len(server.received)
    # Some 100 tokens of prompt and 50 of answer would cost 0.0006 USD.
    status, text = answered("0.002/day")
    assert (status, json.loads(text)["error"]["code"]) == (429, "budget_exceeded")
    assert len(server.received) == before
    assert answered("0.01/day")[0] == 200
    assert "used more tokens than were reserved" not in caplog.text
