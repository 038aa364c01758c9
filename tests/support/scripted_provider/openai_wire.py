"""OpenAI's chat completions, and those of the many who speak it (DeepSeek's `reasoning_content` included); its
embeddings."""

from __future__ import annotations

import hashlib
import json

from tests.support.scripted_provider.replies import Answer, Body, ErrorKind, Frames, HttpError, Received, Tool

DONE = b"data: [DONE]\n\n"


def serves(path: str) -> bool:
    return path.endswith(("/chat/completions", "/embeddings"))


def streams(request: Received) -> bool:
    return bool(request.body.get("stream"))


def whole(answer: Answer, request: Received) -> Body:
    if request.path.endswith("/embeddings"):
        return _embeddings(answer, request)
    body = {**_frame(answer, request, "chat.completion"), "choices": []}
    if answer.fault != "empty":
        body["choices"] = [
            {"index": index, "message": _message(answer), "logprobs": None, "finish_reason": answer.reason}
            for index in range(request.body.get("n") or 1)
        ]
    return {**body, **_usage(answer)}


def _embeddings(answer: Answer, request: Received) -> Body:
    """A vector for each text."""
    inputs = [] if answer.fault == "empty" else request.body["input"]
    data = [{"object": "embedding", "index": at, "embedding": vector_of(each)} for at, each in enumerate(inputs)]
    usage = {"prompt_tokens": answer.tokens.prompt, "total_tokens": answer.tokens.prompt}
    return {"object": "list", "data": data, "model": request.body["model"], "usage": usage}


def vector_of(text: str) -> list[float]:
    """The numbers that every embedding model here gives for this text: single precision holds them exactly."""
    return [number / 256 for number in hashlib.sha256(text.encode()).digest()[:4]]


def frames(answer: Answer, request: Received) -> Frames:
    frame = _frame(answer, request, "chat.completion.chunk")
    choices = range(request.body.get("n") or 1)
    asked = (request.body.get("stream_options") or {}).get("include_usage")
    usage = _usage(answer) if asked else {}
    null = {"usage": None} if usage else {}

    def chunk(index: int, delta: Body, finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**frame, "choices": [choice], **null})

    if answer.fault == "empty":
        return Frames([], [event({**frame, "choices": [], **usage})], [DONE])
    words = [chunk(index, delta) for index in choices for delta in _deltas(answer)]
    finish = [chunk(index, {}, answer.reason) for index in choices]
    last = [event({**frame, "choices": [], **usage})] if usage else []
    return Frames(words, finish + last, [DONE])


def event(body: Body) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def error_event(error: HttpError) -> bytes:
    return event(error.body)


def _frame(answer: Answer, request: Received, kind: str) -> Body:
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1767225600,
        "model": answer.model or f"{request.body.get('model', 'm')}-2026-01-01",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def _message(answer: Answer) -> Body:
    message: Body = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tools:
        message["content"] = None
        message["tool_calls"] = [_call(tool) for tool in answer.tools]
    return {**message, **answer.extra}


def _call(tool: Tool) -> Body:
    function = {"name": tool.name, "arguments": json.dumps(tool.arguments)}
    return {"id": tool.call_id, "type": "function", "function": function}


def _deltas(answer: Answer) -> list[Body]:
    """The role, the reasoning, then the words or each call: its name, then its arguments in two pieces."""
    deltas: list[Body] = [{"role": "assistant", "content": None if answer.tools else "", "refusal": None}]
    deltas += [{"reasoning_content": piece} for piece in halves(answer.reasoning) if piece]
    if not answer.tools:
        deltas += [{"content": word} for word in answer.words]
    for index, tool in enumerate(answer.tools):
        call = _call(tool)
        pieces = halves(call["function"]["arguments"])
        call["function"]["arguments"] = ""
        deltas.append({"tool_calls": [{"index": index, **call}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    if answer.extra:
        deltas.append(dict(answer.extra))
    return deltas


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _usage(answer: Answer) -> Body:
    tokens = answer.tokens
    if tokens.form == "none":
        return {}
    actual = tokens.completion - (tokens.reasoning if tokens.form == "total_only" else 0)
    usage: Body = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": actual,
        "total_tokens": tokens.prompt + tokens.completion,
    }
    if tokens.form == "full":
        usage["prompt_tokens_details"] = {"cached_tokens": tokens.cached, "audio_tokens": 0}
        usage["completion_tokens_details"] = {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    return {"usage": usage}


def _error(status: int, message: str, kind: str, code: str | None = None, param: str | None = None) -> HttpError:
    return HttpError(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


_INVALID = "invalid_request_error"
ERRORS: dict[ErrorKind, HttpError] = {
    "bad_request": _error(
        400, "Invalid value: 'robot'. Supported values are: 'system', 'assistant', 'user'.", _INVALID,
        "invalid_value", "messages[0].role",
    ),
    "context_length": _error(
        400, "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens. "
        "Please reduce the length of the messages.", _INVALID, "context_length_exceeded", "messages",
    ),
    "wrong_key": _error(
        401, "Incorrect API key provided: sk-abc*******xyz. You can find your API key at "
        "https://platform.openai.com/account/api-keys.", _INVALID, "invalid_api_key",
    ),
    "no_credit": _error(
        429, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota",
        "insufficient_quota",
    ),
    "forbidden": _error(
        403, "Project `proj_1` does not have access to model `m`.", _INVALID, "model_not_found",
    ),
    "unknown_model": _error(
        404, "The model `m` does not exist or you do not have access to it.", _INVALID, "model_not_found",
    ),
    "too_large": _error(413, "Request too large.", _INVALID),
    "rate_limited": _error(
        429, "Rate limit reached for m in organization org-1 on requests per min (RPM): Limit 500, Used 500.",
        "requests", "rate_limit_exceeded",
    ),
    "server_error": _error(500, "The server had an error while processing your request.", "server_error"),
    "overloaded": _error(503, "The engine is currently overloaded, please try again later.", "server_error"),
}  # fmt: skip
