"""Calls litellm without what it does per call that nobody asked for.

litellm prices each answer against its table, rebuilds it for logging and hands it to a logging thread, whether or
not anything listens: a third of the CPU of a call (2.5 ms a call here, 1.65 without). All of that hangs on the
logging object that may be passed in as `litellm_logging_obj`, as its Router does; ours keeps quiet.
Whoever has registered callbacks with litellm gets litellm's own, and pays for it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from turnout.ports.runtime import CallProgress

# Each a list or mapping of litellm's that makes its own log, or its own set-up of a call, worth its price.
_LISTENERS = (
    "callbacks", "input_callback", "success_callback", "failure_callback", "service_callback",
    "_async_input_callback", "_async_success_callback", "_async_failure_callback",
    "pre_call_rules", "post_call_rules",
)  # fmt: skip

# What `turnout/auto` begins with.
OWN_PROVIDER = "turnout"

# The arguments that make one call quiet: (model, messages, stream, its progress) -> arguments of `acompletion`.
Tuned = Callable[[str, list[dict[str, Any]], bool, CallProgress | None], dict[str, Any]]


def tuned(litellm: Any) -> Tuned:
    """The arguments that keep a call of this litellm quiet; none where somebody listens to litellm itself."""
    from litellm.litellm_core_utils.litellm_logging import Logging

    class QuietLog(Logging):
        """litellm's log of one call, writing nothing."""

    for name in (
        "response_cost_calculator", "handle_sync_success_callbacks_for_async_calls", "pre_call", "post_call",
        "success_handler", "failure_handler",
    ):  # fmt: skip
        setattr(QuietLog, name, _nothing)
    for name in ("async_success_handler", "async_failure_handler"):
        setattr(QuietLog, name, _nothing_async)
    # "Somebody else writes the success log already."
    setattr(QuietLog, "claim_async_success_log", lambda *_, **__: False)  # noqa: B010 - mypy knows no such method

    def arguments(
        model: str, messages: list[dict[str, Any]], stream: bool, progress: CallProgress | None
    ) -> dict[str, Any]:
        # litellm's own set-up takes a provider's marks out of tool call ids, for another provider to read.
        called = any("tool_calls" in message or "tool_call_id" in message for message in messages)
        if called or listened(litellm):
            return {}
        log = QuietLog(
            model=model,
            messages=messages,
            stream=stream,
            call_type="acompletion",
            start_time=datetime.datetime.now(),
            litellm_call_id="turnout",
            function_id="",
            litellm_trace_id="turnout",
        )
        if progress is not None:
            # litellm calls it when the request is in its form and about to be sent.
            setattr(log, "pre_call", partial(_note_sent, progress))  # noqa: B010 - a method, for mypy
        options = {"include_usage": True} if stream else None
        log.update_environment_variables(
            model=model, user="", optional_params={}, litellm_params={"api_base": ""}, stream_options=options
        )
        return {"litellm_logging_obj": log, "litellm_call_id": "turnout"}

    return arguments


def keeping_raw(answers: list[Any], tuning: dict[str, Any]) -> dict[str, Any]:
    """Further arguments of this call, for litellm to put the provider's own answer into `answers`, as a text or as what
    it holds. tuning: its arguments so far."""
    log = tuning.get("litellm_logging_obj")
    if log is None:
        return {"logger_fn": lambda details: answers.append(details.get("original_response"))}
    # litellm calls it with what the provider answered.
    setattr(log, "post_call", lambda *_, original_response=None, **__: answers.append(original_response))  # noqa: B010
    return {}


# Where the provider's own answer to the call that is under way goes, of a class that shows it to no log.
_ANSWERS: ContextVar[list[Any] | None] = ContextVar("turnout_raw_answers", default=None)
_SHOW_NO_LOG = frozenset({"cohere", "cohere_chat"})


@contextmanager
def watching_http(litellm: Any, provider: str, answers: list[Any] | None) -> Iterator[None]:
    """Puts what such a provider answers to a whole call into `answers`: litellm's own client for it is asked to show
    what it receives."""
    if answers is None or provider not in _SHOW_NO_LOG:
        yield
        return
    from litellm.llms.custom_httpx.http_handler import get_async_httpx_client

    # By the arguments of litellm's own call, which keeps one client for them.
    kind = litellm.LlmProviders(provider)
    client = get_async_httpx_client(llm_provider=kind, params={"ssl_verify": None}, shared_session=None).client
    if _note_answer not in client.event_hooks["response"]:
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "response": [*hooks["response"], _note_answer]}
    token = _ANSWERS.set(answers)
    try:
        yield
    finally:
        _ANSWERS.reset(token)


async def _note_answer(response: Any) -> None:
    if (answers := _ANSWERS.get()) is not None:
        answers.append(await response.aread())


def listened(litellm: Any) -> bool:
    """Whether somebody listens to litellm's own calls, or has changed how they are set up."""
    listeners = [item for name in _LISTENERS for item in getattr(litellm, name, None) or ()]
    # litellm's class for Gemini makes a cache object for itself, which registers this name for good; only
    # `litellm.cache` would make it do anything.
    if any(item != "cache" or litellm.cache is not None for item in listeners):
        return True
    # Our own provider, for code written on litellm, asks for nothing of the kind.
    return any(item["provider"] != OWN_PROVIDER for item in litellm.custom_provider_map)


def _note_sent(progress: CallProgress, *_: Any, **__: Any) -> None:
    progress.sent = True


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _nothing_async(*_: Any, **__: Any) -> None:
    return None


_FRAME = {"id": "-", "created": 1, "model": "-"}
_MESSAGE = {"role": "assistant", "content": "-"}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def _whole() -> bytes:
    choice = {"index": 0, "message": _MESSAGE, "finish_reason": "stop"}
    return json.dumps({**_FRAME, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _events() -> bytes:
    # Without usage: litellm then counts the tokens itself, by a table that takes 30 ms to load.
    choice = {"index": 0, "delta": _MESSAGE, "finish_reason": "stop"}
    event = json.dumps({**_FRAME, "object": "chat.completion.chunk", "choices": [choice]})
    return f"data: {event}\n\ndata: [DONE]\n\n".encode()


async def warm_up(litellm: Any, tuning: Tuned) -> None:
    """One plain and one streamed call that never leave the process: the first call of a litellm imports half a
    second's worth more, better now than under a user's request. Raises where this litellm cannot be quieted."""
    import httpx

    import openai

    def answer(request: httpx.Request) -> httpx.Response:
        if b'"stream":true' in request.content.replace(b" ", b""):
            return httpx.Response(200, content=_events(), headers={"content-type": "text/event-stream"})
        return httpx.Response(200, content=_whole(), headers={"content-type": "application/json"})

    model, messages = "openai/gpt-4o-mini", [{"role": "user", "content": "-"}]
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        # The openai SDK 3 names httpx2's type and takes httpx's client as well.
        given: Any = http
        client = openai.AsyncOpenAI(api_key="-", base_url="http://warm-up.invalid/v1", http_client=given)
        for stream in (False, True):
            response = await litellm.acompletion(
                model=model, messages=messages, stream=stream, client=client, max_retries=0,
                **tuning(model, messages, stream, None),
            )  # fmt: skip
            if stream:
                async for _ in response:
                    pass
