"""Anthropic's Messages API."""

from __future__ import annotations

import json

from tests.support.scripted_provider.openai_wire import halves
from tests.support.scripted_provider.replies import Answer, Body, ErrorKind, Frames, HttpError, Received

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def serves(path: str) -> bool:
    return path.endswith("/v1/messages")


def streams(request: Received) -> bool:
    return bool(request.body.get("stream"))


def refusal(request: Received) -> HttpError | None:
    """What the real one says of thinking that is asked for in the middle of a turn without any."""
    messages = request.body.get("messages") or []
    if (request.body.get("thinking") or {}).get("type") != "enabled":
        return None
    spoken = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if not spoken or not isinstance(messages[spoken[-1]]["content"], list):
        return None
    kinds = [block["type"] for block in messages[spoken[-1]]["content"]]
    if "tool_use" not in kinds or kinds[0] in ("thinking", "redacted_thinking"):
        return None
    return _error(
        400,
        _INVALID,
        f"messages.{spoken[-1]}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`. "
        "When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the "
        "lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`.",
    )


def whole(answer: Answer, request: Received) -> Body:
    return {
        **_frame(answer, request),
        "content": [] if answer.fault == "empty" else _blocks(answer, request),
        "stop_reason": _reason(answer, request),
        "usage": _usage(answer),
    }


def frames(answer: Answer, request: Received) -> Frames:
    opening = {**_frame(answer, request), "content": [], "usage": {**_usage(answer), "output_tokens": 1}}
    words = [event("message_start", message=opening)]
    for index, block in enumerate([] if answer.fault == "empty" else _blocks(answer, request)):
        words += _block_events(index, block, answer)
        if not index:
            words.insert(2, event("ping"))
    delta = {"stop_reason": _reason(answer, request), "stop_sequence": None}
    usage = {"output_tokens": answer.tokens.completion}
    return Frames(words, [event("message_delta", delta=delta, usage=usage)], [event("message_stop")])


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def error_event(error: HttpError) -> bytes:
    return event("error", error=error.body["error"])


def _frame(answer: Answer, request: Received) -> Body:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": answer.model or f"{request.body.get('model', 'm')}-20260101",
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(answer: Answer, request: Received) -> list[Body]:
    blocks: list[Body] = []
    if answer.reasoning:
        blocks.append({"type": "thinking", "thinking": answer.reasoning, "signature": answer.signature or "sig=="})
    if forced := _forced(answer, request):
        return [*blocks, {"type": "tool_use", "id": "toolu_0", "name": forced, "input": json.loads(answer.text)}]
    if answer.text and not answer.tools:
        blocks.append({"type": "text", "text": answer.text})
    return blocks + [
        {"type": "tool_use", "id": tool.call_id, "name": tool.name, "input": dict(tool.arguments)}
        for tool in answer.tools
    ]


def _forced(answer: Answer, request: Received) -> str:
    """The tool that must be called: how a schema was asked for before there were structured outputs."""
    choice = request.body.get("tool_choice") or {}
    schema = choice.get("type") == "tool" and answer.text.startswith("{") and not answer.tools
    return choice["name"] if schema else ""


def _reason(answer: Answer, request: Received) -> str:
    if _forced(answer, request):
        return "tool_use"
    return _REASONS.get(answer.reason, answer.reason)


def _block_events(index: int, block: Body, answer: Answer) -> list[bytes]:
    match block["type"]:
        case "text":
            start: Body = {"type": "text", "text": ""}
            deltas: list[Body] = [{"type": "text_delta", "text": word} for word in answer.words]
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            start = {**block, "input": {}}
            pieces = ("", *halves(json.dumps(block["input"])))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def _usage(answer: Answer) -> Body:
    tokens = answer.tokens
    return {
        "input_tokens": tokens.prompt - tokens.cached - tokens.written,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens.completion,
        "service_tier": "standard",
    }


def _error(status: int, kind: str, message: str) -> HttpError:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return HttpError(status, body)


_INVALID = "invalid_request_error"
ERRORS: dict[ErrorKind, HttpError] = {
    "bad_request": _error(400, _INVALID, "messages.0.content: Input should be a valid list"),
    "context_length": _error(400, _INVALID, "prompt is too long: 215000 tokens > 200000 maximum"),
    "wrong_key": _error(401, "authentication_error", "invalid x-api-key"),
    "no_credit": _error(
        400, _INVALID, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
        "upgrade or purchase credits.",
    ),
    "forbidden": _error(403, "permission_error", "Your API key does not have permission to use this resource."),
    "unknown_model": _error(404, "not_found_error", "model: m"),
    "too_large": _error(413, "request_too_large", "Request exceeds the maximum size"),
    "rate_limited": _error(
        429, "rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute.",
    ),
    "server_error": _error(500, "api_error", "Internal server error"),
    "overloaded": _error(529, "overloaded_error", "Overloaded"),
}  # fmt: skip
