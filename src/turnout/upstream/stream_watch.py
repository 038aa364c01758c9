"""A provider's own stream below litellm's: what litellm loses of it on the way, or cannot read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnout.openai.answers import Body
from turnout.upstream import translate
from turnout.upstream.answer_form import delta_of
from turnout.upstream.cohere_events import bare_lines
from turnout.upstream.failures import hidden_failure
from turnout.upstream.finishes import OPENAI_FINISHES, hidden_finishes, reported_finishes
from turnout.upstream.gemini_answer import left_out, mend_gemini

# What is read of a choice of the openai SDK's, which keeps the fields that it does not know.
_CHOICE = ("index", "finish_reason", "native_finish_reason", "error")


class StreamWatch:
    """The provider's own stream below litellm's, which replaces the real model's name by the one asked for, of several
    choices' finishes tells one, as the first choice's, says `stop` for each that it does not know, and counts tokens by
    itself."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        parse = getattr(stream, "chunk_parser", None)
        self._reads_events = callable(parse)
        if callable(parse):
            stream.chunk_parser = self._reading(parse)
        self._chunks = aiter(stream)
        self._model: str | None = None
        self._frame: Body = {}
        self._choices: set[int] = set()
        # What the provider itself says that each choice ended with.
        self._finishes: dict[int, str] = {}
        # Of which choices it has sent the place of a finish.
        self._places: set[int] = set()
        self._left_out: dict[int, Body] = {}
        self._usages: list[Body] = []
        # Whether the provider's stream has ended in good order.
        self.ended = self._begun = False
        # Whether what was read last was one of the provider's events, read by litellm's class.
        self._was_event = False

    def _reading(self, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The class's own reading of an event, whose finish is read before. Raises AttemptError for an error."""

        def read(chunk: Any) -> Any:
            self._was_event = True
            for choice in (chunk.get("choices") or ()) if isinstance(chunk, dict) else ():
                if isinstance(choice, dict) and isinstance(message := delta_of(choice), Mapping):
                    choice["delta"] = _counted(message)
            if (hidden := hidden_failure(chunk)) is not None:
                raise hidden
            mend_gemini(chunk)
            self._keep(left_out(chunk))
            self._finishes |= reported_finishes(chunk)
            self._places |= hidden_finishes(chunk).keys()
            if isinstance(chunk, dict) and chunk.get("type") == "message_stop":
                # Anthropic's last event: what comes behind it, litellm may not wait for.
                self.ended = True
            return parse(chunk)

        return read

    def _keep(self, fields: Mapping[int, Body]) -> None:
        """Of an event, what litellm's class leaves out, for the next chunk to hold."""
        for index, own in fields.items():
            known = self._left_out.setdefault(index, {})
            known |= {**own, "code_execution": [*known.get("code_execution", ()), *own.get("code_execution", ())]}

    def __aiter__(self) -> StreamWatch:
        return self

    async def __anext__(self) -> Any:
        self._was_event = False
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            # A cut would have raised, but where HTTP does not tell the end.
            response = getattr(self._stream, "response", None)
            self.ended |= self._begun and (response is None or is_framed(response.headers))
            raise
        self._begun = True
        if not self._reads_events:
            _take_messages(chunk)
            if (odd := _odd_usage(chunk)) is not None:
                self._usages.append(odd)
        if self._reads_events and not self._was_event and isinstance(chunk, Mapping) and chunk.get("is_finished"):
            # litellm's own, made of the mark at a stream's end: a finish that no event told.
            self.ended = True
            raise StopAsyncIteration
        if usage := chunk.get("usage") if isinstance(chunk, Mapping) else getattr(chunk, "usage", None):
            self._usages.append(translate.usage(usage, whole=not self._reads_events))
        model = getattr(chunk, "model", None)
        self._model = model if isinstance(model, str) else self._model
        choices = [
            {name: getattr(choice, name, None) for name in _CHOICE} for choice in getattr(chunk, "choices", None) or ()
        ]
        self._choices |= {choice["index"] for choice in choices if isinstance(choice["index"], int)}
        # Where litellm's class has read it, its error was found there, and a `stop` may be litellm's own.
        if not self._reads_events:
            beside = getattr(chunk, "model_extra", None) or {}
            if hidden := hidden_failure({**beside, "choices": choices} if choices else beside):
                raise hidden
            self._finishes |= reported_finishes({"choices": choices})
        return chunk

    @property
    def has_finish(self) -> bool:
        """Whether the provider did: litellm makes one up."""
        return bool(self._finishes)

    def mended(self, chunk: Body) -> list[Body]:
        """This chunk of litellm's as the provider meant it, and what belongs before it."""
        if self._model:
            chunk["model"] = self._model
        if self._frame.get("id"):
            # litellm makes up one a chunk where the provider tells none.
            chunk["id"] = self._frame["id"]
        chunk.pop("usage", None)
        self._frame = chunk
        for choice in chunk["choices"]:
            fields = self._left_out.pop(choice["index"], {})
            choice["delta"] |= {name: value for name, value in fields.items() if value}
        if len(self._choices) < 2:
            for choice in chunk["choices"]:
                own, theirs = self._finishes.get(choice["index"]), choice["finish_reason"]
                if own is None and choice["index"] in self._places:
                    # An empty one, for which litellm says `stop`.
                    choice["finish_reason"] = None
                elif own is not None and theirs and (theirs == "stop" or own not in OPENAI_FINISHES):
                    choice["finish_reason"] = own
            return [chunk] if chunk["choices"] else []
        for choice in chunk["choices"]:
            choice["finish_reason"] = None
        spoken = [choice for choice in chunk["choices"] if choice["delta"]]
        return [{**chunk, "choices": spoken}] if spoken else []

    def last(self) -> list[Body]:
        """The chunks after the last one: how each of several choices ended, and what the provider itself told of its
        usage, piece by piece. litellm counts where it told nothing, and makes the total up."""
        choices: list[Body] = [
            {"index": index, "delta": {}, "finish_reason": finish} for index, finish in sorted(self._finishes.items())
        ]
        ends = [{**self._frame, "choices": choices}] if choices and len(self._choices) > 1 else []
        return [*ends, *({**self._frame, "choices": [], "usage": usage} for usage in self._usages)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _take_messages(chunk: Any) -> None:
    """Gives each choice of a chunk of the openai SDK's that holds a message the delta that it stands for."""
    for choice in getattr(chunk, "choices", None) or ():
        message = getattr(choice, "message", None)
        if getattr(choice, "delta", None) is None and isinstance(message, Mapping):
            from openai.types.chat.chat_completion_chunk import ChoiceDelta

            choice.delta = ChoiceDelta.construct(**_counted(message))


def _odd_usage(chunk: Any) -> Body | None:
    """Takes out of a chunk of the openai SDK's a usage with which litellm fails: what it tells, empty where that is no
    object. None where litellm can read it."""
    usage: Any = getattr(chunk, "usage", None)
    odd: Body = dict(usage.model_dump()) if hasattr(usage, "model_dump") else {}
    counts = [odd.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    if usage is None or (odd and all(count is None or isinstance(count, int | str) for count in counts)):
        return None
    chunk.usage = None
    return odd


def _counted(message: Mapping[str, Any]) -> Body:
    """A message, or a delta, whose tool calls each have an index, as a delta's have."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
        return {**message}
    return {**message, "tool_calls": [{"index": at, **call} for at, call in enumerate(calls)]}


def is_framed(headers: Mapping[str, str]) -> bool:
    """Whether HTTP itself says where this answer's body ends, and not only that the connection is closed."""
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in headers


def mend_cohere(stream: Any) -> None:
    """Gives litellm's reader of Cohere's streams the lines that it can read."""
    if type(stream).__name__ == "CohereV2ModelResponseIterator":
        stream.streaming_response = bare_lines(stream.streaming_response)
