"""Cohere's v2 chat."""

from __future__ import annotations

import json

from tests.support.scripted_provider.openai_wire import halves
from tests.support.scripted_provider.replies import Answer, Body, ErrorKind, Frames, HttpError, Received

_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR_TOXIC"}


def serves(path: str) -> bool:
    return path.endswith(("/v2/chat", "/v1/chat"))


def streams(request: Received) -> bool:
    return bool(request.body.get("stream"))


def whole(answer: Answer, request: Received) -> Body:
    message: Body = {"role": "assistant"}
    if answer.fault != "empty":
        message["content"] = _content(answer)
        if answer.tools:
            message["tool_plan"] = "I add."
            message["tool_calls"] = _calls(answer)
    return {
        "id": "co_1",
        "finish_reason": _REASONS.get(answer.reason, answer.reason),
        "message": message,
        **_usage(answer),
    }


def frames(answer: Answer, request: Received) -> Frames:
    opening = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    words = [event("message-start", id="co_1", delta={"message": opening})]
    if answer.fault != "empty":
        for index, block in enumerate(_content(answer)):
            words += _block_events(index, block, answer)
        for index, call in enumerate(_calls(answer)):
            words += _call_events(index, call)
    reason = _REASONS.get(answer.reason, answer.reason)
    finish = event("message-end", id="co_1", delta={"finish_reason": reason, **_usage(answer)})
    return Frames(words, [finish], [b"data: [DONE]\n\n"])


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def error_event(error: HttpError) -> bytes:
    return event("message-end", delta={"finish_reason": "ERROR", "error": error.body["message"]})


def _content(answer: Answer) -> list[Body]:
    blocks: list[Body] = [{"type": "thinking", "thinking": answer.reasoning}] if answer.reasoning else []
    return blocks if answer.tools else [*blocks, {"type": "text", "text": answer.text}]


def _calls(answer: Answer) -> list[Body]:
    return [
        {
            "id": tool.call_id,
            "type": "function",
            "function": {"name": tool.name, "arguments": json.dumps(tool.arguments)},
        }
        for tool in answer.tools
    ]


def _block_events(index: int, block: Body, answer: Answer) -> list[bytes]:
    kind = block["type"]
    pieces = answer.words if kind == "text" else halves(block[kind])

    def content(piece: Body) -> Body:
        return {"message": {"content": piece}}

    return [
        event("content-start", index=index, delta=content({"type": kind, kind: ""})),
        *(event("content-delta", index=index, delta=content({kind: piece})) for piece in pieces),
        event("content-end", index=index),
    ]


def _call_events(index: int, call: Body) -> list[bytes]:
    arguments = call["function"]["arguments"]
    opening = {**call, "function": {**call["function"], "arguments": ""}}

    def delta(part: Body) -> Body:
        return {"message": {"tool_calls": part}}

    return [
        event("tool-call-start", index=index, delta=delta(opening)),
        *(
            event("tool-call-delta", index=index, delta=delta({"function": {"arguments": piece}}))
            for piece in halves(arguments)
        ),
        event("tool-call-end", index=index),
    ]


def _usage(answer: Answer) -> Body:
    tokens = answer.tokens
    if tokens.form == "none":
        return {}
    counted = {"input_tokens": tokens.prompt, "output_tokens": tokens.completion}
    usage: Body = {"billed_units": counted, "tokens": counted}
    return {"usage": {**usage, "cached_tokens": tokens.cached} if tokens.cached else usage}


def _error(status: int, message: str) -> HttpError:
    return HttpError(status, {"id": "co_1", "message": message})


ERRORS: dict[ErrorKind, HttpError] = {
    "bad_request": _error(400, "invalid request: messages must not be empty"),
    "context_length": _error(400, "too many tokens: the total number of tokens exceeds the limit of 128000"),
    "wrong_key": _error(401, "invalid api token"),
    "no_credit": _error(402, "Please add or update your payment method at https://dashboard.cohere.com/billing"),
    "forbidden": _error(403, "your API key does not have access to this resource"),
    "unknown_model": _error(404, "model 'm' not found, make sure the correct model ID was used"),
    "too_large": _error(413, "request body too large"),
    "rate_limited": _error(429, "You are using a Trial key, which is limited to 20 API calls / minute."),
    "server_error": _error(500, "internal server error, this has been reported to our developers"),
    "overloaded": _error(503, "service unavailable"),
}
