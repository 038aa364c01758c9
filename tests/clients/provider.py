"""The provider behind the client matrix: calls the first tool that is offered, then answers; fills any schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ANSWER = "It is four."
VECTOR = [0.5, -0.25, 0.125]
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
# What each type of a schema is filled with.
VALUES = {"string": "Oslo", "integer": 4, "number": 4.0, "boolean": True, "null": None, "array": []}


def filled(schema: Mapping[str, Any]) -> Any:
    """A value that this JSON schema allows, as far as the clients' schemas go."""
    if schema.get("type") == "object" or "properties" in schema:
        return {name: filled(part) for name, part in schema.get("properties", {}).items()}
    for kinds in ("anyOf", "oneOf"):
        if kinds in schema:
            return filled(schema[kinds][0])
    return VALUES.get(schema.get("type", "string"))


def message_for(body: Mapping[str, Any]) -> dict[str, Any]:
    """The assistant's message: a call where tools are offered and none has answered yet, else a text."""
    messages = body["messages"]
    tools = body.get("tools") or []
    if tools and body.get("tool_choice") != "none" and messages[-1]["role"] != "tool":
        function = tools[0]["function"]
        arguments = json.dumps(filled(function.get("parameters") or {}))
        called = {"name": function["name"], "arguments": arguments}
        call = {"id": "call_1", "type": "function", "function": called}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    schema = (body.get("response_format") or {}).get("json_schema")
    if schema is not None:
        return {"role": "assistant", "content": json.dumps(filled(schema["schema"]))}
    # DSPy's own frame, where it asks for one.
    framed = "[[ ## answer ## ]]" in json.dumps(messages)
    return {"role": "assistant", "content": "[[ ## answer ## ]]\nfour\n\n[[ ## completed ## ]]" if framed else ANSWER}


def frame(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def events(body: Mapping[str, Any]) -> Iterator[str]:
    message = message_for(body)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if calls := message.get("tool_calls"):
        deltas += [{"tool_calls": [{"index": at, **call}]} for at, call in enumerate(calls)]
    else:
        deltas += [{"content": word} for word in message["content"].split(" ")]
        deltas[2:] = [{"content": f" {delta['content']}"} for delta in deltas[2:]]
    finish = "tool_calls" if calls else "stop"
    choices = [*((delta, None) for delta in deltas), ({}, finish)]
    for delta, reason in choices:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield f"data: {json.dumps({**frame(body, 'chat.completion.chunk'), 'choices': [choice]})}\n\n"
    yield f"data: {json.dumps({**frame(body, 'chat.completion.chunk'), 'choices': [], 'usage': USAGE})}\n\n"
    yield "data: [DONE]\n\n"


async def chat(request: Request) -> Response:
    body = await request.json()
    if body.get("stream"):
        return StreamingResponse(events(body), media_type="text/event-stream")
    message = message_for(body)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return JSONResponse({**frame(body, "chat.completion"), "choices": [choice], "usage": USAGE})


async def embeddings(request: Request) -> Response:
    body = await request.json()
    data = [{"object": "embedding", "index": at, "embedding": VECTOR} for at in range(len(body["input"]))]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": usage})


app = Starlette(
    routes=[
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
    ]
)
