"""litellm's import: off the loop, once, and never handed out by halves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.scripted_provider import Answer, Raw, Received, ScriptedServer

HALF_IMPORTED = """
import importlib.machinery, sys, types
from turnout.upstream import litellm_import

half = types.ModuleType("litellm")
half.__spec__ = importlib.machinery.ModuleSpec("litellm", None)
half.__spec__._initializing = True
half.acompletion = None
sys.modules["litellm"] = half
given = []
litellm_import.when_there(given.append)
assert not given, "litellm was handed out in the middle of its import"
half.__spec__._initializing = False
litellm_import.when_there(given.append)
assert given == [half]
"""


def test_litellm_is_not_handed_out_in_the_middle_of_its_import() -> None:
    """Another thread's import takes seconds, and half of its names are there by then."""
    subprocess.run([sys.executable, "-c", HALF_IMPORTED], check=True)


ASKING = """
import asyncio, sys
from turnout import Turnout

CLAUDE, LLAMA = "anthropic/claude-sonnet-4-5", "openai/meta-llama-3-8b"

async def main(origin):
    config = {
        "tiers": {"cheap": {"models": [CLAUDE]}, "expensive": {"models": [LLAMA]}},
        "models": {
            CLAUDE: {"params": {"api_base": origin, "extra_headers": {"anthropic-beta": "context-1m-2025-08-07"}}},
            LLAMA: {"params": {"api_base": origin + "/v1"}},
        },
        "upstream": {"transport": "litellm"},
    }
    async with Turnout(config) as turnout:
        for model in (CLAUDE, LLAMA):
            async for _ in turnout.stream("hi", model=model):
                pass

asyncio.run(main(sys.argv[1]))
"""


def test_nothing_is_asked_for_but_answers(server: ScriptedServer) -> None:
    """Neither a price table, nor a list of headers at Anthropic's first call, nor a tokenizer for a stream of Llama's
    that tells no usage: every place that litellm would fetch them from is this server's."""
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "so"}, "finish_reason": "stop"}]}
    events = (f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n")
    untold = Raw(pieces=events, headers={"content-type": "text/event-stream"})

    def script(request: Received) -> Answer | Raw:
        return untold if request.path == "/v1/chat/completions" else Answer()

    server.script = script
    places = {
        "LITELLM_MODEL_COST_MAP_URL": f"{server.origin}/prices.json",
        "LITELLM_ANTHROPIC_BETA_HEADERS_URL": f"{server.origin}/headers.json",
        "HF_ENDPOINT": f"{server.origin}/hub",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "HF_"))}
    keys = {"ANTHROPIC_API_KEY": "sk-test", "OPENAI_API_KEY": "sk-test"}
    subprocess.run([sys.executable, "-c", ASKING, server.origin], check=True, env={**others, **places, **keys})
    assert {request.path for request in server.received} == {"/v1/messages", "/v1/chat/completions"}
