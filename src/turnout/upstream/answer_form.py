"""A provider's answer in one form, whatever it sent: what somebody here reads of it is of OpenAI's types. Pure.

A field of another type is taken for what it must mean, or left out where nothing hangs on it; what nobody reads stays
as it came. Of a stream, each tool call has an index of its own, and its id and name once: clients join them by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.attempt_errors import MalformedReply, NoAnswer
from turnout.openai.answers import Body, dumps, is_content
from turnout.openai.response_items import EVENTS, ITEMS, are_readable
from turnout.openai.usage import merged_usage
from turnout.upstream.finishes import OPENAIS

_TEXTS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})
_FRAME: Mapping[str, type | tuple[type, ...]] = {
    "id": str, "model": str, "system_fingerprint": str, "service_tier": str, "created": (int, float),
}  # fmt: skip
_THINKING = ("type", "thinking", "signature", "data")
_MOST_CALLS = 100_000


def whole(answer: Body) -> Body:
    """A whole answer in that form. Raises MalformedReply where it is none, and NoAnswer where it holds nothing."""
    choices = _choices(answer)
    if not choices:
        raise NoAnswer("the provider's answer has no choices")
    numbers = [number(choice.get("index")) for choice in choices]
    unique = None not in numbers and len({*numbers}) == len(numbers)
    formed = []
    for at, choice in enumerate(choices):
        if not isinstance(choice.get("message"), Mapping):
            raise MalformedReply("a choice of the provider's answer has no message")
        message = {"role": "assistant", "content": None, **_fields(choice["message"])}
        if "tool_calls" in message:
            calls = _objects(message["tool_calls"], "tool calls")
            message["tool_calls"] = [_whole_call(call) for call in calls]
        index = numbers[at] if unique else at
        formed.append({**choice, "index": index, "message": message, "finish_reason": _finish(choice)})
    body = {**_frame(answer), "choices": formed}
    if not is_content({"choices": [{"delta": choice["message"]} for choice in formed]}):
        for choice in formed:
            _refuse_nothing(choice["finish_reason"])
    return body


class ChunkForm:
    """One stream's chunks in that form. usage: what they have told of it so far, which stands in none of them."""

    def __init__(self) -> None:
        self.usage: Body | None = None
        self._calls: dict[int, _Calls] = {}
        self._spoke = False

    def read(self, chunk: Mapping[str, Any]) -> Body:
        """The next chunk. Raises MalformedReply where it is none, and NoAnswer where it ends an answer that holds
        nothing."""
        if isinstance(usage := chunk.get("usage"), Mapping):
            self.usage = merged_usage(self.usage, usage)
        formed = {**_frame(chunk), "choices": [self._choice(choice) for choice in _choices(chunk)]}
        formed.pop("usage", None)
        if EVENTS in formed and not _are_events(formed[EVENTS]):
            del formed[EVENTS]
        self._spoke = self._spoke or is_content(_without_finish(formed))
        for choice in formed["choices"] if not self._spoke else ():
            _refuse_nothing(choice["finish_reason"])
        return formed

    def _choice(self, choice: Mapping[str, Any]) -> Body:
        index = number(choice.get("index")) or 0
        delta = choice.get("delta")
        fields = _fields(delta) if isinstance(delta, Mapping) else {}
        if "tool_calls" in fields:
            calls = self._calls.setdefault(index, _Calls())
            fields["tool_calls"] = [calls.read(call) for call in _objects(fields["tool_calls"], "tool calls")]
        return {**choice, "index": index, "delta": fields, "finish_reason": _finish(choice)}


class _Calls:
    """Tells the pieces of a choice's tool calls apart: a new index or a new id begins a new call. Some servers count
    none, and some send id and name with each piece."""

    def __init__(self) -> None:
        # By the provider's index: which call its next piece belongs to, and which by the call's id.
        self._current: dict[int | None, int] = {}
        self._by_id: dict[tuple[int | None, str], int] = {}
        self._ids: dict[int, str] = {}
        self._names: dict[int, str] = {}

    def read(self, piece: Mapping[str, Any]) -> Body:
        call = _call(piece)
        own, name = number(call.get("index")), call.pop("id", None)
        mine = self._number(own, name)
        if name and not self._ids[mine]:
            call["id"] = self._ids[mine] = name
            self._by_id[own, name] = mine
        for part in ("function", "custom"):
            fields = call.get(part)
            if fields and fields.get("name"):
                if self._names.get(mine) == fields["name"]:
                    # Only a name of two equal halves that comes in pieces would look the same.
                    fields.pop("name")
                self._names[mine] = self._names.get(mine, "") + fields.get("name", "")
        return {**call, "index": mine}

    def _number(self, own: int | None, name: str | None) -> int:
        if own is None and name is None and self._ids:
            own = next((index for index, mine in self._current.items() if mine == max(self._ids)), None)
        mine = self._by_id.get((own, name)) if name else None
        if mine is None:
            mine = self._current.get(own)
            if mine is None or (name and self._ids[mine]):
                mine = own if own is not None and own not in self._ids else max(self._ids, default=-1) + 1
                self._ids[mine] = ""
        self._current[own] = mine
        return mine


def number(index: Any) -> int | None:
    """An index as a number, also where a server sends it as a text; None where it is none."""
    if isinstance(index, str) and index.isascii() and index.isdigit():
        index = int(index[:9])
    known = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < _MOST_CALLS
    return index if known else None


def _choices(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = answer.get("choices")
    return [] if choices is None else _objects(choices, "choices")


def _objects(value: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise MalformedReply(f"the {what} of the provider's answer are no objects")
    return value


def _frame(answer: Mapping[str, Any]) -> Body:
    return {name: value for name, value in answer.items() if name not in _FRAME or isinstance(value, _FRAME[name])}


def _finish(choice: Mapping[str, Any]) -> str | None:
    finish = choice.get("finish_reason")
    return finish if finish is None or isinstance(finish, str) else str(finish)[:60]


def _refuse_nothing(finish: str | None) -> None:
    if finish is not None and finish not in OPENAIS:
        raise NoAnswer(f"the provider's answer ended with {finish!r} and holds nothing")


def _fields(message: Mapping[str, Any]) -> Body:
    """A message's or a delta's fields, without those that tell nothing."""
    fields: Body = {}
    for name, value in message.items():
        if value is None:
            continue
        if name in _TEXTS:
            fields[name] = value if isinstance(value, str | list) else _text(value)
        elif name == "role":
            fields[name] = "assistant"
        elif name == "function_call":
            if isinstance(value, Mapping):
                fields[name] = _texts(value, ("name", "arguments"))
        elif name == "thinking_blocks":
            if blocks := [_texts(block, _THINKING) for block in _listed(value)]:
                fields[name] = blocks
        elif name == ITEMS:
            if are_readable(value):
                fields[name] = value
        elif name != "tool_calls" or value != []:
            fields[name] = value
    return fields


def _call(call: Mapping[str, Any]) -> Body:
    """A tool call, or a piece of one."""
    formed = _texts(call, ("id", "type"))
    for part, names in (("function", ("name", "arguments")), ("custom", ("name", "input"))):
        if part in formed:
            fields = formed.pop(part)
            if isinstance(fields, Mapping):
                formed[part] = _texts(fields, names)
    return formed


def _whole_call(call: Mapping[str, Any]) -> Body:
    formed = _call(call)
    if "custom" not in formed:
        formed["function"] = {"name": "", "arguments": "", **formed.get("function", {})}
    return formed


def _texts(fields: Mapping[str, Any], names: tuple[str, ...]) -> Body:
    """The fields, those of these names as texts: some servers send a tool's arguments as an object."""
    present = ((name, value) for name, value in fields.items() if value is not None)
    return {name: _text(value) if name in names else value for name, value in present}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _are_events(events: Any) -> bool:
    return isinstance(events, list) and all(
        isinstance(each, Mapping) and isinstance(each.get("type"), str) for each in events
    )


def _without_finish(chunk: Body) -> Body:
    return {**chunk, "choices": [{**choice, "finish_reason": None} for choice in chunk["choices"]]}
