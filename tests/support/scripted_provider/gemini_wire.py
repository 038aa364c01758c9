"""Gemini's generateContent and streamGenerateContent (Google AI Studio)."""

from __future__ import annotations

import json

from tests.support.scripted_provider.openai_wire import halves
from tests.support.scripted_provider.replies import Answer, Body, ErrorKind, Frames, HttpError, Received

_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


def serves(path: str) -> bool:
    return path.endswith((":generateContent", ":streamGenerateContent"))


def streams(request: Received) -> bool:
    return request.path.endswith(":streamGenerateContent")


def whole(answer: Answer, request: Received) -> Body:
    if answer.fault == "empty":
        return {**_frame(answer, request), **_usage(answer)}
    candidate = {
        "content": {"parts": _parts(answer), "role": "model"},
        "finishReason": _REASONS.get(answer.reason, answer.reason),
        "index": 0,
    }
    return {"candidates": [candidate], **_frame(answer, request), **_usage(answer)}


def frames(answer: Answer, request: Received) -> Frames:
    """No mark ends such a stream; its last event tells the finish and the usage, the others the usage so far."""
    pieces = [] if answer.fault == "empty" else _pieces(answer)
    frame = _frame(answer, request)
    words = [event({"candidates": [_candidate(piece)], **_usage(answer), **frame}) for piece in pieces]
    last = {**_candidate({"text": ""}), "finishReason": _REASONS.get(answer.reason, answer.reason)}
    candidates = {"candidates": [last]} if pieces else {}
    return Frames(words, [event({**candidates, **_usage(answer), **frame})], [])


def event(body: Body) -> bytes:
    return f"data: {json.dumps(body)}\r\n\r\n".encode()


def error_event(error: HttpError) -> bytes:
    return event(error.body)


def _frame(answer: Answer, request: Received) -> Body:
    name = request.path.rpartition("/")[2].partition(":")[0]
    return {"modelVersion": answer.model or f"{name}-001", "responseId": "resp_1"}


def _candidate(part: Body) -> Body:
    return {"content": {"parts": [part], "role": "model"}, "index": 0}


def _parts(answer: Answer) -> list[Body]:
    parts: list[Body] = []
    if answer.reasoning:
        parts.append({"text": answer.reasoning, "thought": True})
    return parts + ([*_calls(answer)] if answer.tools else [{"text": answer.text}])


def _pieces(answer: Answer) -> list[Body]:
    """A stream's parts: thoughts and text in pieces, each call whole."""
    thoughts = [{"text": piece, "thought": True} for piece in halves(answer.reasoning) if piece]
    return thoughts + (_calls(answer) if answer.tools else [{"text": word} for word in answer.words])


def _calls(answer: Answer) -> list[Body]:
    """The first of parallel calls alone carries the signature of the thought."""
    calls: list[Body] = [{"functionCall": {"name": tool.name, "args": dict(tool.arguments)}} for tool in answer.tools]
    if answer.signature and calls:
        calls[0]["thoughtSignature"] = answer.signature
    return calls


def _usage(answer: Answer) -> Body:
    tokens = answer.tokens
    if tokens.form == "none":
        return {}
    usage: Body = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": tokens.completion - tokens.reasoning,
        "totalTokenCount": tokens.prompt + tokens.completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    }
    if tokens.cached:
        usage["cachedContentTokenCount"] = tokens.cached
    if tokens.reasoning and tokens.form == "full":
        usage["thoughtsTokenCount"] = tokens.reasoning
    return {"usageMetadata": usage}


def _error(code: int, status: str, message: str, *details: Body) -> HttpError:
    error = {"code": code, "message": message, "status": status}
    return HttpError(code, {"error": {**error, "details": list(details)} if details else error})


_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
ERRORS: dict[ErrorKind, HttpError] = {
    "bad_request": _error(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified"),
    "context_length": _error(
        400, "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "wrong_key": _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", _KEY),
    "no_credit": _error(
        429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.",
    ),
    "forbidden": _error(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
    "unknown_model": _error(404, "NOT_FOUND", "models/m is not found for API version v1beta."),
    "too_large": _error(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    "rate_limited": _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: requests per minute", _RETRY),
    "server_error": _error(500, "INTERNAL", "An internal error has occurred."),
    "overloaded": _error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
}  # fmt: skip
