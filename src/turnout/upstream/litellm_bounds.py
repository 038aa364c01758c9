"""Holds what litellm's HTTP clients read for a call of ours to the bounds of the direct transport: its bytes, unpacked,
and how many values it holds; and lets none of them follow a redirect.

litellm takes a client of one's own for some providers alone, but puts each that it makes into one cache before it uses
it. There each is given a hook, which does nothing for anybody else's calls.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import Any

from turnout.attempt_errors import NoAnswer
from turnout.openai.json_size import MOST_NESTED, MOST_VALUES, count_nested
from turnout.upstream.failures import failure

# How many bytes of an answer, or of an event of its stream, the call that is under way reads, and whether it asked for
# a stream.
_BOUND: ContextVar[tuple[int, bool] | None] = ContextVar("turnout_answer_bound", default=None)
_EVENT_END = re.compile(rb"\r?\n\r?\n|\r\r")
_LINE_END = re.compile(rb"\n")


@contextmanager
def bounded(most: int, *, stream: bool) -> Iterator[None]:
    """What is received in this block is of a call of ours, and an answer, or an event of a stream, is no longer than
    `most` bytes."""
    token = _BOUND.set((most, stream))
    try:
        yield
    finally:
        _BOUND.reset(token)


def bound_clients(litellm: Any) -> None:
    """Gives the hook to each client that litellm has, and to each that it makes. Once a process."""
    import httpx

    class Bounded(httpx.AsyncByteStream):
        """A response's body, unpacked and counted. Raises NoAnswer where it is more than is read."""

        def __init__(self, packed: httpx.Response, count: AnswerCount) -> None:
            self._packed = packed
            self._count = count

        async def __aiter__(self) -> AsyncGenerator[bytes, None]:
            unpacked: Any = self._packed.aiter_bytes()
            async with aclosing(unpacked) as pieces:
                async for piece in pieces:
                    self._count.add(piece)
                    yield piece

        async def aclose(self) -> None:
            await self._packed.aclose()

    async def bind(response: httpx.Response) -> None:
        if (bound := _BOUND.get()) is None:
            return
        if response.has_redirect_location:
            raise failure(response.status_code, response.headers, b"")
        packed = httpx.Response(
            response.status_code, headers=response.headers, stream=response.stream, request=response.request
        )
        most, stream = bound
        response.stream = Bounded(packed, AnswerCount(most, _end_of_part(response) if stream else None))
        # Unpacked already.
        response.headers.pop("content-encoding", None)

    cache = litellm.in_memory_llm_clients_cache
    for client in list(cache.cache_dict.values()):
        _give(client, bind)
    put = cache.set_cache

    def put_bounded(key: str, value: Any, *arguments: Any, **named: Any) -> Any:
        _give(value, bind)
        return put(key, value, *arguments, **named)

    cache.set_cache = put_bounded


def _give(client: Any, hook: Callable[[Any], Any]) -> None:
    """Gives the hook to one of litellm's clients, which holds one of httpx's; nothing to any other object."""
    if hasattr(client, "create_client") and hasattr(client, "event_hooks"):
        # For those that it makes where a connection fails.
        client.event_hooks = _with(client.event_hooks or {}, hook)
    http: Any = getattr(client, "client", None) or getattr(client, "_client", None)
    if hasattr(http, "aclose") and hasattr(http, "event_hooks"):
        http.event_hooks = _with(http.event_hooks, hook)


def _with(hooks: Any, hook: Callable[[Any], Any]) -> dict[str, list[Any]]:
    return {**hooks, "response": [hook, *(each for each in hooks.get("response", ()) if each is not hook)]}


def _end_of_part(response: Any) -> re.Pattern[bytes] | None:
    """What ends each part of a stream; None for what is read as one."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code >= 400 or kind == "application/json":
        return None
    return _EVENT_END if kind == "text/event-stream" else _LINE_END


class AnswerCount:
    """Counts what is read of an answer, or of each part of it that ends with `end`. most: bytes."""

    def __init__(self, most: int, end: re.Pattern[bytes] | None) -> None:
        self._most = most
        self._end = end
        self._size = self._nested = self._values = 0
        # Blank bytes at the end of what was read last, with which an end may have begun.
        self._tail = b""

    def add(self, piece: bytes) -> None:
        """Raises NoAnswer where it is more than is read."""
        first, *others = self._end.split(self._tail + piece) if self._end is not None else (piece,)
        self._add(first)
        for part in others:
            self._size = self._nested = self._values = 0
            self._add(part)
        last = others[-1] if others else first
        self._tail = last[len(last.rstrip(b"\r\n")) :][-3:]

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._most:
            raise NoAnswer(f"the answer, or an event of the stream, is longer than {self._most} bytes")
        self._nested += count_nested(part)
        self._values += part.count(b",")
        if self._nested > MOST_NESTED or self._values > MOST_VALUES:
            raise NoAnswer("the provider's answer holds too many values")
