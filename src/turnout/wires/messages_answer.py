"""Anthropic's answers and events, made of a chat completion and its chunks. Pure.

Shapes: Anthropic's API reference, "Messages" and "Streaming Messages".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from turnout.errors import ServedError, UpstreamUnavailable
from turnout.openai.answers import Body, load_foreign, typed_event
from turnout.wires.chunks import ToolCallPieces, first_choice, text_in

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
# By status, as Anthropic names its own errors.
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def to_message(completion: Mapping[str, Any]) -> Body:
    """The Message of a complete answer."""
    choice = first_choice(completion)
    message = choice.get("message") or {}
    return {
        **_frame(completion),
        "content": list(_blocks(message)),
        "stop_reason": _stop_reason(choice.get("finish_reason"), bool(message.get("refusal"))),
        "usage": to_usage(completion.get("usage")),
    }


def to_usage(usage: Mapping[str, Any] | None) -> Body:
    """Anthropic's count: the input without what was read from the prompt cache or written to it."""
    usage = usage or {}
    details = usage.get("prompt_tokens_details") or {}
    read, written = (details.get(f"{name}_tokens", 0) for name in ("cached", "cache_creation"))
    return {
        "input_tokens": max(0, usage.get("prompt_tokens", 0) - read - written),
        "output_tokens": usage.get("completion_tokens", 0),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
    }


def to_error(error: ServedError, request_id: str) -> Body:
    """The error in Anthropic's shape. `code` and `param` are ours."""
    return error_body(error.to_openai()["error"], error.told_status, request_id)


def error_body(error: Mapping[str, Any], status: int, request_id: str) -> Body:
    """The same of an error in OpenAI's shape, and its HTTP status."""
    detail = {
        "type": _ERRORS.get(status, "api_error"),
        "message": error["message"],
        "code": error["code"],
        "param": error["param"],
    }
    return {"type": "error", "error": detail, "request_id": request_id}


def _frame(answer: Mapping[str, Any]) -> Body:
    name = str(answer.get("id") or "").removeprefix("chatcmpl-")
    return {
        "id": name if name.startswith("msg_") else f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": answer.get("model") or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop_reason(finish: str | None, refused: bool) -> str:
    return "refusal" if refused else _STOPS.get(finish or "stop", "end_turn")


def _blocks(message: Mapping[str, Any]) -> Iterator[Body]:
    thinking = message.get("thinking_blocks")
    if thinking:
        yield from map(dict, thinking)
    elif reasoning := text_in(message.get("reasoning_content")):
        yield {"type": "thinking", "thinking": reasoning, "signature": ""}
    for name in ("content", "refusal"):
        if text := text_in(message.get(name)):
            yield {"type": "text", "text": text}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {
            "type": "tool_use",
            "id": call.get("id") or "",
            "name": function.get("name") or "",
            "input": _input(function.get("arguments")),
        }


def _input(arguments: Any) -> Any:
    try:
        value = load_foreign((arguments or "{}").encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise UpstreamUnavailable("the model's arguments for a tool are no JSON") from error
    return value if isinstance(value, dict) else {"value": value}


class MessageEvents:
    """Anthropic's events of one answer, made of its chunks one after another."""

    def __init__(self) -> None:
        self._begun = False
        self._block = -1
        # The kind of the open block, and of a tool's which call.
        self._open: tuple[str, int] | None = None
        self._calls = ToolCallPieces()
        self._finish: str | None = None
        self._refused = False
        self._usage: Mapping[str, Any] | None = None

    def feed(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of this chunk."""
        return b"".join(self._events(chunk))

    def end(self) -> bytes:
        """The events after the last chunk."""
        stop = {"stop_reason": _stop_reason(self._finish, self._refused), "stop_sequence": None}
        last = {"type": "message_delta", "delta": stop, "usage": to_usage(self._usage)}
        return b"".join([*self._close(), typed_event(last), typed_event({"type": "message_stop"})])

    def fail(self, error: ServedError) -> bytes:
        """The event of a stream that breaks off."""
        return typed_event(to_error(error, ""))

    def _events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            # What was read is counted at the end alone.
            yield typed_event({"type": "message_start", "message": {**_frame(chunk), "usage": to_usage(None)}})
        self._usage = chunk.get("usage") or self._usage
        choice = first_choice(chunk)
        delta = choice.get("delta") or {}
        yield from self._thinking(delta)
        for name in ("content", "refusal"):
            if text := text_in(delta.get(name)):
                self._refused = self._refused or name == "refusal"
                yield from self._piece(("text", 0), {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
        for call in self._calls.feed(delta.get("tool_calls")):
            if call.began:
                yield from self._close()
            elif self._open != ("tool_use", call.number):
                raise UpstreamUnavailable("the pieces of several tool calls are mixed: they cannot be told one by one")
            start = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield from self._piece(("tool_use", call.number), start)
            if call.arguments:
                yield self._delta({"type": "input_json_delta", "partial_json": call.arguments})
        self._finish = choice.get("finish_reason") or self._finish

    def _thinking(self, delta: Mapping[str, Any]) -> Iterator[bytes]:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        blocks = delta.get("thinking_blocks") or ()
        if not blocks and (reasoning := text_in(delta.get("reasoning_content"))):
            blocks = ({"type": "thinking", "thinking": reasoning},)
        for block in blocks:
            if block.get("type") == "redacted_thinking":
                yield from self._close()
                yield from self._piece(("redacted_thinking", 0), dict(block))
                yield from self._close()
                continue
            if text := block.get("thinking"):
                yield from self._piece(("thinking", 0), start, {"type": "thinking_delta", "thinking": text})
            if signature := block.get("signature"):
                yield from self._piece(("thinking", 0), start, {"type": "signature_delta", "signature": signature})

    def _piece(self, kind: tuple[str, int], start: Body, *deltas: Body) -> Iterator[bytes]:
        """Opens the block unless it is open, and adds to it."""
        if self._open != kind:
            yield from self._close()
            self._open = kind
            self._block += 1
            yield typed_event({"type": "content_block_start", "index": self._block, "content_block": start})
        yield from map(self._delta, deltas)

    def _delta(self, delta: Body) -> bytes:
        return typed_event({"type": "content_block_delta", "index": self._block, "delta": delta})

    def _close(self) -> list[bytes]:
        if self._open is None:
            return []
        self._open = None
        return [typed_event({"type": "content_block_stop", "index": self._block})]
