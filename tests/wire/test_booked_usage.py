"""What a budget books for an answer whose usage cannot be true: its worst case, or the larger of what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.scripted_provider import Answer, ScriptedServer
from tests.wire.test_matrix import MODELS, ask
from tests.wire.test_odd_answers import raw

MODEL, BASE = MODELS["openai"]
# A dollar for a million tokens: each answer of a thousand costs a tenth of a cent, and four fit.
MOST, BUDGET, FIT = 1000, "0.0045/day", 4
USAGES: dict[str, Any] = {
    "none": None,
    "zeros": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "no answer": {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5},
    "below zero": {"prompt_tokens": 5, "completion_tokens": -5, "total_tokens": 0},
    "impossible": {"prompt_tokens": 5, "completion_tokens": 10**12, "total_tokens": 10**12},
    "a total of more": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 1005},
    "details of more": {
        "prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10,
        "completion_tokens_details": {"reasoning_tokens": 1000},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer() as running:
        yield running


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("told", USAGES)
def test_a_budget_is_not_outspent(server: ScriptedServer, transport: str, stream: bool, told: str) -> None:
    """As many answers as fit in it at their worst case, and then 429, whatever their provider tells of them."""

    async def until_refused(client: Any, model: str) -> list[int]:
        server.script = lambda _: raw(stream, {"content": "so"}, USAGES[told])
        statuses = []
        for number in range(FIT + 2):
            body = {"model": model, "messages": [{"role": "user", "content": str(number)}], "stream": stream}
            response = await client._client.post(
                f"{client.base_url}chat/completions", content=json.dumps({**body, "max_tokens": MOST}),
                headers={"content-type": "application/json"},
            )  # fmt: skip
            statuses.append(response.status_code)
        return statuses

    price = {"input_usd_per_million": 1, "output_usd_per_million": 1}
    models = {MODEL: {"params": {"api_base": server.origin + BASE}, **price}, "openai/unused": price}
    sections = {"models": models, "budgets": {"total": BUDGET}}
    assert ask(server, "openai", transport, Answer(), until_refused, **sections) == [200] * FIT + [429] * 2
