"""Whose log holds what litellm says of a call of ours."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from typing import Any

import pytest

from tests.support.scripted_provider import Raw, ScriptedServer
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.litellm_words import divert_words, taking_words

NAME = "openai/small"
CALL = ProviderCall(model=NAME, messages=({"role": "user", "content": "What is 2 + 2?"},))
JSON = {"content-type": "application/json"}


def test_what_litellm_says_of_an_answer_is_a_line_of_our_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not of its own, which prints whatever line ends and marks of a terminal the answer holds."""
    finish = "odd\nCRITICAL:root:forged\x1b[2K"
    choice = {"index": 0, "message": {"role": "assistant", "content": "four"}, "finish_reason": finish}
    body = json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})

    async def scenario(base: str) -> None:
        tiers = {"cheap": {"models": [NAME]}, "expensive": {"models": ["openai/dear"]}}
        models = {NAME: {"params": {"api_base": base}}}
        plug = LiteLLMProvider(Settings.of({"tiers": tiers, "models": models}), {})
        await plug.complete(CALL)
        logging.getLogger("LiteLLM").warning("of another's call")
        await plug.close()

    with ScriptedServer() as server, caplog.at_level(logging.INFO, "turnout.upstream"):
        server.script = lambda _: Raw(pieces=(body.encode(),), headers=JSON)
        asyncio.run(scenario(f"{server.origin}/v1"))
    # Below a warning litellm's logger says what whoever turned that on, another test perhaps, wants to read there.
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = [(record.name, record.getMessage()) for record in loud if record.name.startswith("LiteLLM")]
    assert said == [("LiteLLM", "of another's call")]
    (line,) = [record.getMessage() for record in caplog.records if "forged" in record.getMessage()]
    assert line.startswith("litellm says of a call: ")
    assert line.isprintable()


def test_a_warning_of_a_call_of_ours_is_a_line_of_our_log(caplog: pytest.LogCaptureFixture) -> None:
    """pydantic's repeat the answer's text; those of others go where they always went."""
    shown: list[str] = []

    def show(message: Warning | str, *_: Any) -> None:
        shown.append(str(message))

    with warnings.catch_warnings(), caplog.at_level(logging.INFO, "turnout.upstream"):
        warnings.simplefilter("always")
        warnings.showwarning = show
        divert_words()
        with taking_words():
            warnings.warn("input_value='Hello'\nforged", stacklevel=1)
        warnings.warn("another's", stacklevel=1)
    assert shown == ["another's"]
    assert [record.getMessage() for record in caplog.records] == ["litellm says of a call: input_value='Hello' forged"]
