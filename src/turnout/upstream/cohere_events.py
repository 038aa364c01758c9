"""Cohere's stream events as litellm's class knows them: it reads bare JSON, and the end under a former wire's names."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Any

from turnout.attempt_errors import MalformedReply
from turnout.upstream.finishes import to_openai_finish


def as_the_class_knows_it(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event's object, with its end where the class looks for it. Raises ProviderFailed for an end that tells a
    failure."""
    if data.get("type") != "message-end":
        return data
    delta = data.get("delta") or {}
    finish = to_openai_finish(delta.get("finish_reason") or "COMPLETE")
    return {**data, "event": "message-end", "data": {"delta": {**delta, "finish_reason": finish}}}


async def bare_lines(lines: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    """What the `data:` lines of a stream hold; the class takes every other line for broken JSON. Raises AttemptError
    for what is no JSON object, and for an end that tells a failure."""
    async for line in lines:
        if line.startswith("data:") and (text := line[5:].strip()) and text != "[DONE]":
            yield json.dumps(_known(text))


def _known(text: str) -> Mapping[str, Any]:
    try:
        return as_the_class_knows_it(json.loads(text))
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise MalformedReply(f"an event of the stream cannot be read: {error}") from error
