"""OpenAI's Response object and its typed events, made of a chat completion and its chunks. Pure.

Shapes: the OpenAI API reference, "The Response object" and "Streaming events".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from turnout.errors import ServedError
from turnout.openai.answers import Body, typed_event
from turnout.openai.response_items import EVENTS, ITEMS
from turnout.wires.chunks import ToolCallPieces, first_choice, text_in

# Why an answer is incomplete, by its finish reason.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "service_tier": None,
    "store": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


def to_response(completion: Mapping[str, Any], request: Mapping[str, Any], response_id: str) -> Body:
    """The Response of a complete answer. request: the body that asked."""
    choice = first_choice(completion)
    message = choice.get("message") or {}
    frame, finish, usage = (
        _frame(completion, request, response_id),
        choice.get("finish_reason"),
        completion.get("usage"),
    )
    if ITEMS in message:
        return finished(frame, message[ITEMS], finish, usage)
    items = ResponseItems(response_id)
    calls = [{"index": at, **call} for at, call in enumerate(message.get("tool_calls") or ())]
    for _ in items.feed({**message, "tool_calls": calls}, probabilities(choice)):
        pass
    for _ in items.close(finish):
        pass
    return finished(frame, items.output, finish, usage)


def probabilities(choice: Mapping[str, Any]) -> list[Body]:
    """Those of the tokens of a choice's text, whose fields both protocols call the same."""
    tokens = (choice.get("logprobs") or {}).get("content")
    return [dict(each) for each in tokens if isinstance(each, Mapping)] if isinstance(tokens, list) else []


def finished(frame: Body, output: list[Body], finish: str | None, usage: Mapping[str, Any] | None) -> Body:
    """The Response when all its items are there."""
    reason = _INCOMPLETE.get(finish or "")
    return {
        **frame,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": _usage(usage),
    }


def unfinished(
    request: Mapping[str, Any], response_id: str, created: float, status: str, error: Mapping[str, Any] | None = None
) -> Body:
    """The Response of a request in the background that has no answer. request: the body that asked. error: in OpenAI's
    shape."""
    frame = _frame({"created": int(created), "model": request.get("model")}, request, response_id)
    problem = None if error is None else {"code": error.get("code"), "message": error.get("message")}
    return {**frame, "status": status, "error": problem, "background": True}


def _frame(answer: Mapping[str, Any], request: Mapping[str, Any], response_id: str) -> Body:
    echoed = {name: default if request.get(name) is None else request[name] for name, default in _ECHOED.items()}
    text = request.get("text") or {}
    return {
        "id": response_id,
        "object": "response",
        "created_at": answer.get("created") or 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": answer.get("model") or "",
        "output": [],
        "reasoning": {name: (request.get("reasoning") or {}).get(name) for name in ("effort", "summary")},
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "usage": None,
        **echoed,
    }


def _usage(usage: Mapping[str, Any] | None) -> Body | None:
    if not usage:
        return None
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    counted = {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": read},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": usage["total_tokens"],
    }
    return {**counted, "turnout": usage["turnout"]} if "turnout" in usage else counted


class ResponseItems:
    """The output items of one answer, as they grow, and the events that tell it."""

    def __init__(self, response_id: str) -> None:
        self.output: list[Body] = []
        self._suffix = response_id.removeprefix("resp_")
        self._open: tuple[str, int] | None = None
        self._calls = ToolCallPieces()

    def feed(self, delta: Mapping[str, Any], logprobs: Sequence[Body] = ()) -> Iterator[Body]:
        """The events of this delta, or of a whole message. logprobs: of the tokens of its text."""
        if text := text_in(delta.get("reasoning_content")):
            yield from self._reasoning(text)
        if text := text_in(delta.get("content")):
            yield from self._text("output_text", "text", text, logprobs)
        yield from self._annotated(delta.get("annotations"))
        if text := text_in(delta.get("refusal")):
            yield from self._text("refusal", "refusal", text)
        for call in self._calls.feed(delta.get("tool_calls")):
            # A later piece of an earlier call finds its item by its number.
            yield from self._begin(("function_call", call.number), self._call_item(call.number, call.id, call.name))
            at, item = self._item(("function_call", call.number))
            if call.arguments:
                item["arguments"] += call.arguments
                yield self._event("response.function_call_arguments.delta", at, delta=call.arguments)

    def close(self, finish: str | None = None) -> Iterator[Body]:
        """The events that end the items which are still open. finish: why the answer ended; the item in which one was
        cut short is incomplete."""
        for at, item in enumerate(self.output):
            if item["status"] == "in_progress":
                cut = finish in _INCOMPLETE and at == len(self.output) - 1
                yield from self._done(at, item, "incomplete" if cut else "completed")

    def _call_item(self, number: int, call_id: str, name: str) -> Body:
        return {
            "type": "function_call",
            "id": f"fc_{self._suffix}_{number}",
            "call_id": call_id,
            "name": name,
            "arguments": "",
            "status": "in_progress",
        }

    def _item(self, kind: tuple[str, int]) -> tuple[int, Body]:
        name = f"fc_{self._suffix}_{kind[1]}"
        return next((at, item) for at, item in enumerate(self.output) if item["id"] == name)

    def _begin(self, kind: tuple[str, int], item: Body) -> Iterator[Body]:
        """Opens the item unless it is there. A message ends where something else begins; a call stays open to the end:
        some providers mix the pieces of several."""
        if self._open == kind or any(known["id"] == item["id"] for known in self.output):
            return
        if self._open is not None and self._open[0] != "function_call":
            yield from self._done(len(self.output) - 1, self.output[-1])
        self._open = kind
        self.output.append(item)
        at = len(self.output) - 1
        # As it began: what is sent now must not change when the item grows.
        yield self._event("response.output_item.added", at, item=_copy(item))

    def _reasoning(self, text: str) -> Iterator[Body]:
        kind = ("reasoning", 0)
        if self._open != kind:
            item = {"type": "reasoning", "id": f"rs_{self._suffix}_{len(self.output)}", "summary": []}
            yield from self._begin(kind, {**item, "status": "in_progress"})
            part = {"type": "summary_text", "text": ""}
            self.output[-1]["summary"].append(part)
            yield self._event("response.reasoning_summary_part.added", summary_index=0, part=dict(part))
        self.output[-1]["summary"][0]["text"] += text
        yield self._event("response.reasoning_summary_text.delta", summary_index=0, delta=text)

    def _text(self, kind: str, field: str, text: str, logprobs: Sequence[Body] = ()) -> Iterator[Body]:
        if self._open != (kind, 0):
            item = {"type": "message", "id": f"msg_{self._suffix}_{len(self.output)}", "role": "assistant"}
            yield from self._begin((kind, 0), {**item, "status": "in_progress", "content": []})
            part: Body = {"type": kind, field: ""}
            if kind == "output_text":
                part = {**part, "annotations": [], "logprobs": []}
            self.output[-1]["content"].append(part)
            yield self._event("response.content_part.added", content_index=0, part=dict(part))
        self.output[-1]["content"][0][field] += text
        more: Body = {"logprobs": list(logprobs)} if kind == "output_text" else {}
        if kind == "output_text":
            part = self.output[-1]["content"][0]
            part["logprobs"] = [*part["logprobs"], *logprobs]
        yield self._event(f"response.{kind}.delta", content_index=0, delta=text, **more)

    def _annotated(self, annotations: Any) -> Iterator[Body]:
        """What the open text names as its sources. In a chat each is told under its type's name, here beside it."""
        if self._open != ("output_text", 0) or not isinstance(annotations, list):
            return
        known = self.output[-1]["content"][0]["annotations"]
        for each in annotations:
            if not isinstance(each, Mapping) or not isinstance(each.get("type"), str):
                continue
            fields = each.get(each["type"])
            known.append({"type": each["type"], **fields} if isinstance(fields, Mapping) else dict(each))
            place = {"content_index": 0, "annotation_index": len(known) - 1}
            yield self._event("response.output_text.annotation.added", **place, annotation=known[-1])

    def _done(self, at: int, item: Body, status: str = "completed") -> Iterator[Body]:
        item["status"] = status
        match item["type"]:
            case "message":
                part = item["content"][0]
                field = "text" if part["type"] == "output_text" else "refusal"
                more: Body = {"logprobs": part["logprobs"]} if field == "text" else {}
                yield self._event(f"response.{part['type']}.done", at, content_index=0, **{field: part[field]}, **more)
                yield self._event("response.content_part.done", at, content_index=0, part=dict(part))
            case "reasoning":
                part = item["summary"][0]
                yield self._event("response.reasoning_summary_text.done", at, summary_index=0, text=part["text"])
                yield self._event("response.reasoning_summary_part.done", at, summary_index=0, part=dict(part))
            case _:
                item["arguments"] = item["arguments"] or "{}"
                fields = {name: item[name] for name in ("name", "arguments")}
                yield self._event("response.function_call_arguments.done", at, **fields)
        yield self._event("response.output_item.done", at, item=_copy(item))

    def _event(self, kind: str, at: int | None = None, /, **fields: Any) -> Body:
        at = len(self.output) - 1 if at is None else at
        place = {"output_index": at} if "item" in fields else {"output_index": at, "item_id": self.output[at]["id"]}
        return {"type": kind, **place, **fields}


def _copy(item: Body) -> Body:
    return {name: [dict(part) for part in value] if isinstance(value, list) else value for name, value in item.items()}


def given_events(item: Body, at: int) -> Iterator[Body]:
    """The events of an item that is whole, each of its texts in one piece."""
    place = {"output_index": at, "item_id": item.get("id")}
    begun = {**item, **({"content": []} if item["type"] == "message" else {})}
    yield {"type": "response.output_item.added", "output_index": at, "item": begun}
    for index, part in enumerate(item.get("content") or () if item["type"] == "message" else ()):
        kind, where = part["type"], {**place, "content_index": index}
        field = "refusal" if kind == "refusal" else "text"
        more: Body = {} if kind == "refusal" else {"logprobs": part.get("logprobs") or []}
        yield {"type": "response.content_part.added", **where, "part": {**part, field: ""}}
        yield {"type": f"response.{kind}.delta", **where, "delta": part[field], **more}
        yield {"type": f"response.{kind}.done", **where, field: part[field], **more}
        yield {"type": "response.content_part.done", **where, "part": part}
    for index, part in enumerate(item.get("summary") or () if item["type"] == "reasoning" else ()):
        where = {**place, "summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **where, "part": {**part, "text": ""}}
        yield {"type": "response.reasoning_summary_text.delta", **where, "delta": part["text"]}
        yield {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
    if item["type"] == "function_call":
        yield {"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]}
        fields = {name: item[name] for name in ("name", "arguments")}
        yield {"type": "response.function_call_arguments.done", **place, **fields}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


class ResponseEvents:
    """The events of one answer, made of its chunks one after another. response: the whole one, once the last chunk is
    read."""

    def __init__(self, request: Mapping[str, Any], response_id: str) -> None:
        self._request = request
        self.response: Body = {}
        self._id = response_id
        self._items = ResponseItems(response_id)
        # As their provider gave them: of a model that is asked over its own Responses endpoint.
        self._given: list[Body] = []
        self._frame: Body | None = None
        self._finish: str | None = None
        self._usage: Mapping[str, Any] | None = None
        self._number = 0

    def feed(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of this chunk."""
        begin = []
        if self._frame is None:
            self._frame = _frame(chunk, self._request, self._id)
            begin = [{"type": f"response.{name}", "response": self._frame} for name in ("created", "in_progress")]
        self._usage = chunk.get("usage") or self._usage
        choice = first_choice(chunk)
        self._finish = choice.get("finish_reason") or self._finish
        return b"".join(map(self._event, [*begin, *self._events_of(chunk, choice)]))

    def _events_of(self, chunk: Mapping[str, Any], choice: Mapping[str, Any]) -> Iterable[Body]:
        delta = choice.get("delta") or {}
        first = len(self._given)
        self._given += delta.get(ITEMS) or ()
        if EVENTS in chunk:
            events: list[Body] = chunk[EVENTS]
            return events
        if first < len(self._given):
            # Of an answer that was stored.
            return chain.from_iterable(given_events(item, at) for at, item in enumerate(self._given[first:], first))
        return self._items.feed(delta, probabilities(choice))

    @property
    def _output(self) -> list[Body]:
        return self._given or self._items.output

    def end(self) -> bytes:
        """The events after the last chunk."""
        closing = list(self._items.close(self._finish))
        frame = self._frame or _frame({}, self._request, self._id)
        self.response = response = finished(frame, self._output, self._finish, self._usage)
        last = {"type": f"response.{response['status']}", "response": response}
        return b"".join(map(self._event, [*closing, last]))

    def fail(self, error: ServedError) -> bytes:
        """The event of a stream that breaks off."""
        openai_error = error.to_openai()["error"]
        frame = self._frame or _frame({}, self._request, self._id)
        failed = {
            **frame,
            "status": "failed",
            "error": {"code": openai_error["code"], "message": openai_error["message"]},
            "output": self._output,
        }
        return self._event({"type": "response.failed", "response": failed})

    def _event(self, body: Body) -> bytes:
        numbered = {**body, "sequence_number": self._number}
        self._number += 1
        return typed_event(numbered)
