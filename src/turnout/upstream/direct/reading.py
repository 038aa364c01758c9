"""A provider's answer read, whole or event by event: its bytes, its JSON, its failures; and what is OpenAI's already,
which stays as it came: no object is built, unknown fields are kept."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import TYPE_CHECKING, Any

from turnout.attempt_errors import MalformedReply, NoAnswer
from turnout.openai.answers import Body, load_foreign
from turnout.openai.json_size import is_too_much
from turnout.openai.usage import merged_usage
from turnout.ports.runtime import CallProgress
from turnout.upstream.answer_form import delta_of
from turnout.upstream.failures import failure, hidden_failure
from turnout.upstream.finishes import finish_of, to_openai_finish

if TYPE_CHECKING:
    import aiohttp

# How long the end of a transfer is waited for, once the stream has reported its own: the connection is warm after it.
_TAIL_S = 0.1
# How open models tell their reasoning where a server does not take it out: DeepSeek's R1 and its like.
_THOUGHT = re.compile(r"<(think|thinking|budget:thinking)>(.*?)</\1>(.*)", re.DOTALL)

# One that says something has ended the call before (upstream/failures.py); a client would take an empty one for one.
ERROR = "error"


async def checked(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body of an answer with a good status. Raises the failure that another is."""
    raw = await _read_response(response, most)
    if not 200 <= response.status < 300:
        raise failure(response.status, response.headers, raw)
    return raw


async def _read_response(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body, unpacked. Raises NoAnswer where it is longer than `most` bytes."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > most:
            raise NoAnswer(f"the answer is longer than {most} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def parsed(raw: bytes) -> Any:
    if is_too_much(raw):
        raise NoAnswer("the provider's answer holds too many values")
    try:
        return load_foreign(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedReply(f"the provider's answer is no JSON: {error}") from error


async def _event_data(pieces: AsyncIterable[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """The `data` of each event, its lines joined by newlines; comments, names and empty events are left out.

    The last event counts without its blank line too. Raises NoAnswer for an event longer than `most` bytes.
    """
    parts: list[bytes] = []  # of a line whose end is not here yet
    lines: list[bytes] = []  # of an event whose end is not here yet
    size = 0  # of both
    begun = False
    async for piece in pieces:
        if not begun and piece:
            # A byte order mark may stand before a stream, and is none of it.
            begun, piece = True, piece.removeprefix(codecs.BOM_UTF8)
        parts.append(piece)
        if b"\n" in piece:
            *whole, rest = (b"".join(parts) if len(parts) > 1 else piece).split(b"\n")
            for line in whole:
                if line.startswith(b"data:"):
                    lines.append(line[5:].strip())
                elif lines and line in (b"", b"\r"):
                    yield lines[0] if len(lines) == 1 else b"\n".join(lines)
                    lines.clear()
            parts = [rest] if rest else []
            size = len(rest) + sum(map(len, lines))
        else:
            size += len(piece)
        if size > most:
            raise NoAnswer(f"an event of the stream is longer than {most} bytes")
    rest = b"".join(parts)
    if rest.startswith(b"data:"):
        lines.append(rest[5:].strip())
    if lines:
        yield b"\n".join(lines)


async def events(
    pieces: AsyncIterable[bytes], most: int, progress: CallProgress
) -> AsyncGenerator[Mapping[str, Any], None]:
    """The objects of a stream's events, up to `[DONE]`, which is noted. Raises AttemptError for an error among them."""
    async for data in _event_data(pieces, most):
        if data == b"[DONE]":
            progress.ended = True
            return
        event = parsed(data)
        if not isinstance(event, Mapping):
            raise MalformedReply("an event of the stream is no JSON object")
        if (hidden := hidden_failure(event)) is not None:
            raise hidden
        yield event


async def drain(pieces: AsyncIterable[bytes]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_S):
            async for _ in pieces:
                pass


def plain_completion(data: Any) -> Body:
    """The `chat.completion` that a provider's whole answer is. Raises AttemptError where it is none."""
    choices = data.get("choices") if isinstance(data, Mapping) else None
    if not isinstance(choices, list) or not choices:
        raise (NoAnswer if choices == [] else MalformedReply)("the provider's answer has no choices")
    try:
        body = {name: value for name, value in data.items() if value is not None and name != ERROR}
        body["object"] = "chat.completion"
        body["choices"] = [_choice(choice, position) for position, choice in enumerate(choices)]
    except (AttributeError, LookupError, TypeError) as error:
        raise MalformedReply(f"the provider's answer is not as OpenAI's are: {error}") from error
    return body


def _choice(choice: Mapping[str, Any], position: int) -> Body:
    message = {"role": "assistant", "content": None, **_present(choice["message"])}
    _named_reasoning(message)
    content = message["content"]
    if isinstance(content, str) and (thought := _THOUGHT.match(content)):
        message["reasoning_content"], message["content"] = thought[2], thought[3]
    calls = message.get("tool_calls")
    if calls:
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    finish = to_openai_finish(finish_of(choice), called=bool(calls))
    index = choice["index"] if choice.get("index") is not None else position
    return {**choice, "index": index, "message": message, "finish_reason": finish}


def _present(fields: Mapping[str, Any]) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def _named_reasoning(fields: Body) -> None:
    """OpenRouter, vLLM and Groq say `reasoning` where DeepSeek, and everybody after it, says `reasoning_content`."""
    if "reasoning" in fields and "reasoning_content" not in fields:
        fields["reasoning_content"] = fields.pop("reasoning")


class ChunkReader:
    """Reads one stream's events. Its usage is held back, to stand alone at the end as OpenAI sends it."""

    def __init__(self) -> None:
        self.usage: Body | None = None
        self._frame: Body = {"object": "chat.completion.chunk"}
        self._calling: set[int] = set()

    def read(self, data: Mapping[str, Any]) -> Body | None:
        """The chunk that an event is; None where it holds nothing but usage. Raises AttemptError."""
        try:
            frame = {name: value for name, value in data.items() if value is not None and name not in ("usage", ERROR)}
            usage = data.get("usage") or (data.get("x_groq") or {}).get("usage")
            if isinstance(usage, Mapping):
                self.usage = merged_usage(self.usage, usage)
            choices = [self._choice(choice) for choice in data.get("choices") or ()]
        except (AttributeError, TypeError) as error:
            raise MalformedReply(f"the stream's chunk is not as OpenAI's are: {error}") from error
        self._frame = {**frame, "object": "chat.completion.chunk"}
        return {**self._frame, "choices": choices} if choices else None

    def _choice(self, choice: Mapping[str, Any]) -> Body:
        delta = _present(delta_of(choice) or {})
        _named_reasoning(delta)
        index = choice.get("index", 0)
        if delta.get("tool_calls"):
            self._calling.add(index)
        reason = finish_of(choice)
        finish = to_openai_finish(reason, called=index in self._calling) if reason else None
        return {**_present(choice), "index": index, "delta": delta, "finish_reason": finish}

    def last(self) -> Body | None:
        """The chunk that tells the usage, or None."""
        return {**self._frame, "choices": [], "usage": self.usage} if self.usage else None
