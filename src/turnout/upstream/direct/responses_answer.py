"""A Responses endpoint's answers and events as a chat completion and its chunks, all items kept as they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import AttemptError, MalformedReply, ProviderFailed, ProviderRateLimited
from turnout.openai.answers import Body
from turnout.openai.response_items import EVENTS, ITEMS
from turnout.upstream.failures import classify, parse_error
from turnout.upstream.refusals import ErrorBody

# What an answer failed with for reasons of the provider's own; any other code is about what was sent.
_THEIRS = frozenset({"server_error", "vector_store_timeout"})
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = frozenset({"custom_tool_call", "function_call"})
_OPENING = frozenset({"response.created", "response.in_progress", "response.queued"})
# A piece of text, and where a chat's delta has it.
_TEXTS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning_content",
    "response.reasoning_text.delta": "reasoning_content",
}


def completion_of_response(data: Any) -> Body:
    """The `chat.completion` that a whole Response is. Raises AttemptError where it is none."""
    if not isinstance(data, Mapping) or not isinstance(data.get("output"), list):
        raise MalformedReply("the provider's answer has no output")
    if data.get("status") == "failed":
        raise response_fault(data.get("error"))
    try:
        items: list[Body] = data["output"]
        message: Body = {"role": "assistant", "content": _joined(items, "message", "content", "text") or None}
        if refusal := _joined(items, "message", "content", "refusal"):
            message["refusal"] = refusal
        if reasoning := _joined(items, "reasoning", "summary", "text") or _joined(
            items, "reasoning", "content", "text"
        ):
            message["reasoning_content"] = reasoning
        if calls := [_call(item) for item in items if item["type"] == "function_call"]:
            message["tool_calls"] = calls
        message[ITEMS] = items
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(data, items)}
        body = {**_frame(data), "object": "chat.completion", "choices": [choice]}
        return {**body, "usage": usage} if (usage := _usage(data, items)) else body
    except (AttributeError, LookupError, TypeError) as error:
        raise MalformedReply(f"the provider's answer is no Response: {error}") from error


def response_fault(error: Any) -> AttemptError:
    """The AttemptError that a failed Response's error means."""
    said = parse_error({"error": error}) if error else None
    if said is None:
        return ProviderFailed("the provider's answer failed")
    if said.code == "rate_limit_exceeded":
        return ProviderRateLimited(said.message, status=429)
    if said.code is None or said.code in _THEIRS:
        return ProviderFailed(said.message)
    return classify(400, ErrorBody(said.message, said.code, said.param, None, said.kind), {})


def _joined(items: Iterable[Mapping[str, Any]], kind: str, place: str, field: str) -> str:
    parts = (part for item in items if item["type"] == kind for part in item.get(place) or ())
    return "".join(part.get(field) or "" for part in parts)


def _call(item: Mapping[str, Any]) -> Body:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _finish(data: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> str:
    if data.get("status") == "incomplete":
        return _INCOMPLETE.get(str((data.get("incomplete_details") or {}).get("reason")), "length")
    return "tool_calls" if any(item["type"] in _CALLS for item in items) else "stop"


def _frame(data: Mapping[str, Any]) -> Body:
    fields = {"id": data.get("id"), "created": data.get("created_at"), "model": data.get("model")}
    fields["service_tier"] = data.get("service_tier")
    return {name: value for name, value in fields.items() if value is not None}


def _usage(data: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> Body | None:
    """OpenAI's count for chats. Each search of the web has a price of its own."""
    usage = data.get("usage")
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = (
        dict(details) if isinstance(details := usage.get(f"{side}_tokens_details"), Mapping) else {}
        for side in ("input", "output")
    )
    searches = sum(item["type"] == "web_search_call" and _is_search(item) for item in items)
    if searches:
        prompt["web_search_requests"] = searches
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }


def _is_search(item: Mapping[str, Any]) -> bool:
    action = item.get("action")
    return not isinstance(action, Mapping) or action.get("type", "search") == "search"


class ResponsesReader:
    """Reads one stream's events. Each chunk carries its event as it came; of the last one the frame is made anew."""

    def __init__(self) -> None:
        self._frame: Body = {}
        self._items: list[Body] = []
        self._calls: dict[Any, int] = {}
        self._usage: Body | None = None
        self.ended = False

    def read(self, data: Mapping[str, Any]) -> Body | None:
        """The chunk that an event is, or None. Raises AttemptError."""
        kind = data.get("type")
        try:
            if kind == "error":
                raise response_fault(data.get("error") or data)
            if kind == "response.failed":
                raise response_fault(data["response"].get("error"))
            if kind in _OPENING:
                self._frame = {**_frame(data["response"]), "object": "chat.completion.chunk"}
                return None
            if kind in ("response.completed", "response.incomplete"):
                return self._end(data["response"])
            return self._chunk(self._delta(kind, data), events=[dict(data)])
        except (AttributeError, LookupError, TypeError) as error:
            raise MalformedReply(f"an event of the stream is none of a Response: {error}") from error

    def last(self) -> Body | None:
        """The chunk that tells the usage, or None."""
        return {**self._frame, "choices": [], "usage": self._usage} if self._usage else None

    def _delta(self, kind: Any, data: Mapping[str, Any]) -> Body:
        if (place := _TEXTS.get(kind)) is not None:
            return {place: data["delta"]}
        if kind == "response.output_item.added" and data["item"]["type"] == "function_call":
            item, at = data["item"], len(self._calls)
            self._calls[data["output_index"]] = at
            function = {"name": item["name"], "arguments": item.get("arguments") or ""}
            return {"tool_calls": [{"index": at, "id": item["call_id"], "type": "function", "function": function}]}
        if kind == "response.function_call_arguments.delta":
            call = {"index": self._calls[data["output_index"]], "function": {"arguments": data["delta"]}}
            return {"tool_calls": [call]}
        if kind == "response.output_item.done":
            self._items.append(data["item"])
            return {ITEMS: [data["item"]]}
        return {}

    def _end(self, response: Mapping[str, Any]) -> Body:
        self.ended = True
        self._frame = {**_frame(response), "object": "chat.completion.chunk"}
        self._usage = _usage(response, self._items)
        return self._chunk({}, finish=_finish(response, self._items))

    def _chunk(self, delta: Body, *, finish: str | None = None, events: Sequence[Body] = ()) -> Body:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**self._frame, "choices": [choice], EVENTS: [*events]}
