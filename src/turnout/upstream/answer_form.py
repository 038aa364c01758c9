"""A provider's answer in one form, whatever it sent: what somebody here reads of it is of OpenAI's types. Pure.

A field of another type is taken for what it must mean, or left out where nothing hangs on it; what nobody reads stays
as it came. Of a stream, each tool call has an index of its own, and its id and name once: clients join them by that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout.attempt_errors import MalformedReply, NoAnswer
from turnout.openai.answers import TEXT_FIELDS, Body, dumps, is_content, without_finish
from turnout.openai.response_items import EVENTS, ITEMS, are_readable
from turnout.openai.usage import merged_usage
from turnout.upstream.finishes import OPENAI_FINISHES

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
    formed.sort(key=lambda choice: choice["index"])
    body = {**_frame(answer), "choices": formed}
    if not is_content({"choices": [{"delta": choice["message"]} for choice in formed]}):
        for choice in formed:
            _refuse_nothing(choice["finish_reason"])
    return body


class ChunkForm:
    """One stream's chunks in that form. choices: how many were asked for. usage: what the chunks have reported of it so
    far, which stands in none of them."""

    def __init__(self, choices: int = 1) -> None:
        self.usage: Body | None = None
        self._choices, self._ended = choices, set[int]()
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
        self._spoke = self._spoke or is_content(without_finish(formed))
        for choice in formed["choices"] if not self._spoke else ():
            if choice["finish_reason"] is not None:
                self._ended.add(choice["index"])
            if len(self._ended) >= self._choices:
                _refuse_nothing(choice["finish_reason"])
        return formed

    def _choice(self, choice: Mapping[str, Any]) -> Body:
        index = number(choice.get("index")) or 0
        delta = delta_of(choice)
        fields = _fields(delta) if isinstance(delta, Mapping) else {}
        if "tool_calls" in fields:
            calls = self._calls.setdefault(index, _Calls())
            fields["tool_calls"] = calls.read(_objects(fields["tool_calls"], "tool calls"))
        beside = {name: value for name, value in choice.items() if name != "message"}
        return {**beside, "index": index, "delta": fields, "finish_reason": _finish(choice)}


@dataclass(slots=True)
class _BegunCall:
    """A tool call of which a piece has come. index: the one that it goes out with."""

    index: int
    id: str = ""
    name: str = ""
    has_arguments: bool = False


class _Calls:
    """Tells the pieces of a choice's tool calls apart. A new index or a new id begins a call; without either, the next
    object of one delta does, and a name that comes after arguments. Some servers send id and name with each piece."""

    def __init__(self) -> None:
        self._calls: list[_BegunCall] = []
        # Which one the next piece with the provider's index belongs to, and which one has this index and id.
        self._current: dict[int | None, _BegunCall] = {}
        self._by_id: dict[tuple[int | None, str], _BegunCall] = {}

    def read(self, pieces: Sequence[Mapping[str, Any]]) -> list[Body]:
        """The pieces of one delta."""
        formed, here = [], set[int]()
        for each in pieces:
            piece = _call(each)
            given_index, call_id = number(piece.get("index")), piece.pop("id", "")
            call = self._current[given_index] = self._find(given_index, call_id, piece, here)
            here.add(call.index)
            if call_id and not call.id:
                piece["id"] = call.id = call_id
                self._by_id[given_index, call_id] = call
            for part in ("function", "custom"):
                fields = piece.get(part, {})
                if fields.get("name") and fields["name"] == call.name:
                    # Only a name of two equal halves that comes in pieces would look the same.
                    fields.pop("name")
                call.name += fields.get("name", "")
                call.has_arguments = call.has_arguments or bool(fields.get("arguments") or fields.get("input"))
            formed.append({**piece, "index": call.index})
        return formed

    def _find(self, given_index: int | None, call_id: str, piece: Body, here: Collection[int]) -> _BegunCall:
        if call_id and (known := self._by_id.get((given_index, call_id))):
            return known
        if given_index is None and not call_id:
            call = self._calls[-1] if self._calls else None
            begins = call is None or call.index in here or (call.has_arguments and _is_named(piece))
        else:
            call = self._current.get(given_index)
            begins = call is None or bool(call_id and call.id)
        if call is None or begins:
            taken = {call.index for call in self._calls}
            free = given_index is not None and given_index not in taken
            call = _BegunCall(given_index if free and given_index is not None else max(taken, default=-1) + 1)
            self._calls.append(call)
        return call


def _is_named(piece: Body) -> bool:
    return any(piece.get(part, {}).get("name") for part in ("function", "custom"))


def delta_of(choice: Mapping[str, Any]) -> Any:
    """What a chunk's choice adds: some servers send one event with the whole message in the delta's place. Where both
    stand there, the message is what all deltas add up to."""
    delta = choice.get("delta")
    return choice.get("message") if delta is None else delta


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
    if finish is not None and finish not in OPENAI_FINISHES:
        raise NoAnswer(f"the provider's answer ended with {finish!r} and holds nothing")


def _fields(message: Mapping[str, Any]) -> Body:
    """A message's or a delta's fields, without those that are null."""
    fields: Body = {}
    for name, value in message.items():
        if value is None:
            continue
        if name in TEXT_FIELDS:
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
    if "function" in formed or ("custom" not in formed and formed.get("type", "function") == "function"):
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
