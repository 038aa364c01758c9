"""Anthropic's answers and events, made of a chat completion and its chunks. Pure.

Shapes: Anthropic's API reference, "Messages" and "Streaming Messages".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from turnout.errors import ServedError
from turnout.openai.answers import Body, load_foreign, typed_event
from turnout.wires.chunks import JsonText, ToolCallPieces, first_choice, text_in

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


def to_message(completion: Mapping[str, Any], stops: Collection[str] = ()) -> Body:
    """The Message of a complete answer. stops: the sequences at which it was to end."""
    choice = first_choice(completion)
    message = choice.get("message") or {}
    return {
        **_frame(completion),
        "content": list(_blocks(message)),
        **_stop(choice, choice.get("finish_reason"), bool(message.get("refusal")), stops),
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
    return anthropic_error(error.to_openai()["error"], error.told_status, request_id)


def anthropic_error(error: Mapping[str, Any], status: int, request_id: str) -> Body:
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


def _stop(choice: Mapping[str, Any], finish: str | None, refused: bool, stops: Collection[str]) -> Body:
    """Why it ended. Servers of open models tell the sequence that ended an answer beside its finish; others do not."""
    if not refused and finish == "stop" and (reached := choice.get("stop_reason")) in stops:
        return {"stop_reason": "stop_sequence", "stop_sequence": reached}
    reason = "refusal" if refused else _STOPS.get(finish or "stop", "end_turn")
    return {"stop_reason": reason, "stop_sequence": None}


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
    """The arguments of a call, which Anthropic gives as an object. What is no JSON stands under the name by which
    Anthropic's guide has it given back to the model: a call that was cut short, and models' mistakes."""
    try:
        value = load_foreign((arguments or "{}").encode("utf-8", "surrogatepass"))
    except ValueError:
        return {"INVALID_JSON": arguments}
    return value if isinstance(value, dict) else {"value": value}


class MessageEvents:
    """Anthropic's events of one answer, made of its chunks one after another. Its blocks come one after another, too:
    what belongs to another than the open one waits while that is a call whose arguments are not whole."""

    def __init__(self, stops: Collection[str] = ()) -> None:
        self._stops = stops
        # The chunk's choice that told the finish.
        self._last: Mapping[str, Any] = {}
        self._begun = False
        self._block = -1
        # The kind of the open block, and which of several of its kind.
        self._open: tuple[str, int] | None = None
        # The open call's arguments so far, and the pieces of blocks that wait for its end.
        self._arguments = JsonText()
        self._waiting: dict[tuple[str, int], tuple[Body, list[Body]]] = {}
        self._called: set[tuple[str, int]] = set()
        self._thoughts = 0
        self._calls = ToolCallPieces()
        self._finish: str | None = None
        self._refused = False
        self._usage: Mapping[str, Any] | None = None

    def feed(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of this chunk."""
        return b"".join(self._events(chunk))

    def end(self) -> bytes:
        """The events after the last chunk."""
        stop = _stop(self._last, self._finish, self._refused, self._stops)
        last = {"type": "message_delta", "delta": stop, "usage": to_usage(self._usage)}
        events = [*self._release(at_end=True), *self._close()]
        return b"".join([*events, typed_event(last), typed_event({"type": "message_stop"})])

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
            start = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            piece = {"type": "input_json_delta", "partial_json": call.arguments}
            yield from self._piece(("tool_use", call.number), start, *([piece] if call.arguments else []))
        if choice.get("finish_reason"):
            self._finish, self._last = choice["finish_reason"], choice

    def _thinking(self, delta: Mapping[str, Any]) -> Iterator[bytes]:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        blocks = delta.get("thinking_blocks") or ()
        if not blocks and (reasoning := text_in(delta.get("reasoning_content"))):
            blocks = ({"type": "thinking", "thinking": reasoning},)
        for block in blocks:
            if block.get("type") == "redacted_thinking":
                self._thoughts += 1
                yield from self._piece(("redacted_thinking", self._thoughts), dict(block))
                continue
            if text := block.get("thinking"):
                piece = {"type": "thinking_delta", "thinking": text}
                yield from self._piece(("thinking", self._thoughts), start, piece)
            if signature := block.get("signature"):
                piece = {"type": "signature_delta", "signature": signature}
                yield from self._piece(("thinking", self._thoughts), start, piece)
                # Another one begins another block.
                self._thoughts += 1

    def _piece(self, kind: tuple[str, int], start: Body, *deltas: Body) -> Iterator[bytes]:
        """Adds to this block, opened unless it is, or lets it wait."""
        if self._open != kind and self._is_in_a_call():
            self._waiting.setdefault(kind, (start, []))[1].extend(deltas)
            return
        yield from self._tell(kind, start, deltas)
        yield from self._release()

    def _is_in_a_call(self) -> bool:
        return self._open is not None and self._open[0] == "tool_use" and not self._arguments.is_whole

    def _release(self, *, at_end: bool = False) -> Iterator[bytes]:
        while self._waiting and (at_end or not self._is_in_a_call()):
            kind = next(iter(self._waiting))
            start, deltas = self._waiting.pop(kind)
            yield from self._tell(kind, start, deltas)

    def _tell(self, kind: tuple[str, int], start: Body, deltas: Sequence[Body]) -> Iterator[bytes]:
        if self._open != kind:
            if kind in self._called:
                # Its arguments were whole: what comes after them is blank.
                return
            yield from self._close()
            self._open, self._arguments = kind, JsonText()
            self._block += 1
            yield typed_event({"type": "content_block_start", "index": self._block, "content_block": start})
        if kind[0] == "tool_use":
            self._called.add(kind)
            for delta in deltas:
                self._arguments.add(delta["partial_json"])
        yield from map(self._delta, deltas)

    def _delta(self, delta: Body) -> bytes:
        return typed_event({"type": "content_block_delta", "index": self._block, "delta": delta})

    def _close(self) -> list[bytes]:
        if self._open is None:
            return []
        self._open = None
        return [typed_event({"type": "content_block_stop", "index": self._block})]
