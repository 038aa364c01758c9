"""`turnout/auto` as code written on litellm meets it, on a scripted provider."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.apps import settings
from tests.support.scorers import hard_or_easy
from turnout import Turnout
from turnout.attempt_errors import MalformedReply
from turnout.context import Caller, current_request
from turnout.testing import Says, ScriptedProvider, vector_of
from turnout.upstream import litellm_import

ASK = [{"role": "user", "content": "hi"}]


@pytest.fixture
def litellm() -> Any:
    return litellm_import.load_litellm()


class Handling:
    """What a door sets while the app handles a request."""

    loop = None

    def __init__(self, turnout: Turnout) -> None:
        self.turnout = turnout

    def note(self, outcome: Any) -> None:
        return None

    def find_caller(self) -> Caller:
        return Caller(user="ann", endpoint="/ask")


@contextmanager
def handling(script: Any = None) -> Iterator[ScriptedProvider]:
    provider = ScriptedProvider(script)
    config = settings("http://127.0.0.1:1/v1", cache={"enabled": False})
    token = current_request.set(Handling(Turnout(config, provider=provider, scorer=hard_or_easy())))
    try:
        yield provider
    finally:
        current_request.reset(token)


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_awaited_calls_are_routed(litellm: Any) -> None:
    """A whole answer and a stream, their parameters, their usage."""

    async def scenario() -> None:
        with handling({"openai/small": ["It is four."]}) as provider:
            whole = await litellm.acompletion(model="turnout/auto", messages=ASK, temperature=0.1, top_k=3)
            assert whole.choices[0].message.content == "It is four."
            assert whole.usage.total_tokens == 13
            assert provider.seen[0].params["temperature"] == 0.1
            assert provider.seen[0].params["extra_body"] == {"top_k": 3}
            stream = await litellm.acompletion(
                model="turnout/cheap", messages=ASK, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            assert text_of(chunks) == "It is four."
            assert chunks[-1].usage.total_tokens == 13
            forced = await litellm.acompletion(model="turnout/openai/large", messages=ASK)
            assert forced.model == "large"
            assert provider.calls == {"openai/small": 2, "openai/large": 1}

    asyncio.run(scenario())


def test_blocking_calls_are_routed(litellm: Any) -> None:
    """`litellm.completion`, streaming and not."""
    with handling({"openai/small": ["It is four."]}) as provider:
        whole = litellm.completion(model="turnout/auto", messages=ASK)
        assert whole.choices[0].message.content == "It is four."
        stream = litellm.completion(model="turnout/auto", messages=ASK, stream=True)
        assert text_of(list(stream)) == "It is four."
        assert provider.calls == {"openai/small": 2}


def test_errors_are_litellms_own(litellm: Any) -> None:
    """By status, as of any provider."""

    async def scenario() -> None:
        with handling({"openai/small": [Says("one two", breaks=MalformedReply("cut"))]}):
            with pytest.raises(litellm.NotFoundError, match="does not exist"):
                await litellm.acompletion(model="turnout/gpt-9", messages=ASK)
            with pytest.raises(litellm.BadRequestError, match="temperature"):
                await litellm.acompletion(model="turnout/auto", messages=ASK, temperature="hot")
            stream = await litellm.acompletion(model="turnout/auto", messages=ASK, stream=True)
            with pytest.raises(litellm.ServiceUnavailableError, match="broke off"):
                [chunk async for chunk in stream]

    asyncio.run(scenario())


def test_registering_imports_nothing_and_waits_for_whoever_imports() -> None:
    """Known at once where the app imported litellm before; never imported for its own sake."""
    code = """
import sys, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
from turnout import Turnout
from turnout.api import litellm_provider
litellm_provider.register(Turnout)
print("litellm" in sys.modules)
import litellm
litellm_provider.register(Turnout)
litellm_provider.register(Turnout)
print([item["provider"] for item in litellm.custom_provider_map])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split("\n")[:2] == ["False", "['turnout']"], done.stderr


def test_vectors_are_asked_for_in_both_ways(litellm: Any) -> None:
    """`aembedding` awaited and `embedding` from a thread give litellm's own response; errors keep their status."""
    config = settings("http://127.0.0.1:1/v1")
    config["models"]["openai/embed"] = {"input_usd_per_million": 1, "output_usd_per_million": 0}
    token = current_request.set(Handling(Turnout(config, provider=ScriptedProvider(), scorer=hard_or_easy())))
    try:
        made = asyncio.run(litellm.aembedding(model="turnout/auto", input=["a", "b"]))
        assert [item["embedding"] for item in made.data] == [vector_of("a"), vector_of("b")]
        assert made.usage.prompt_tokens == 10
        again = litellm.embedding(model="turnout/embed", input=["b"])
        assert again.data[0]["embedding"] == vector_of("b")
        with pytest.raises(Exception, match="answers no embeddings") as refused:
            litellm.embedding(model="turnout/cheap", input=["b"])
        assert getattr(refused.value, "status_code", None) == 404
    finally:
        current_request.reset(token)
