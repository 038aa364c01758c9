"""What a door hands in, what it is handed back, and what answering needs of a Turnout."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from turnout.api.response_headers import Pairs, error_headers, outcome_headers
from turnout.context import Caller, RequestContext, patiently
from turnout.errors import InternalError, ServedError
from turnout.openai.answers import DONE, dumps, event
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest
from turnout.ports.runtime import Clock
from turnout.settings import Settings

log = logging.getLogger("turnout")


class Answers(Protocol):
    """The Turnout that answers."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names that callers may use."""
        ...

    async def completed(self, request: ChatRequest, context: RequestContext) -> Completion: ...

    async def streamed(self, request: ChatRequest, context: RequestContext) -> AnswerStream: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request for one of our own paths, as a door read it.

    path: below where the app is mounted. header: a header's text by its lower-case name, "" where absent.
    body: empty unless the method is POST. started: by the clock's monotonic. named: what a model's name that the
    body asks by is taken for; None: for itself. waits: how the caller waits for what may take long.
    """

    method: str
    path: str
    header: Callable[[str], str]
    body: bytes
    caller: Caller
    request_id: str
    started: float
    named: Callable[[str], str] | None = None
    waits: Callable[[Awaitable[Any]], Awaitable[Any]] = patiently


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReply:
    """A whole reply. `headers` hold neither content type nor length: every body is JSON."""

    status: int
    headers: Pairs
    body: bytes

    @property
    def all_headers(self) -> Pairs:
        """What the reply is sent with."""
        return [("content-type", "application/json"), ("content-length", str(len(self.body))), *self.headers]


class EventStream:
    """A reply that is a stream of server-sent events. `over` once the last one is out.

    A break becomes one error event, and no [DONE]. Leaving early: `await aclose()`.
    """

    status = 200

    def __init__(self, stream: AnswerStream) -> None:
        self._stream = stream
        self.over = False

    @property
    def all_headers(self) -> Pairs:
        """What the stream is sent with."""
        return [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            # nginx buffers event streams otherwise.
            ("x-accel-buffering", "no"),
            *outcome_headers(self._stream.head),
        ]

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        if self.over:
            raise StopAsyncIteration
        try:
            return event(await anext(self._stream))
        except StopAsyncIteration:
            self.over = True
            return DONE
        except ServedError as error:
            # The status line is gone: all that is left to tell it by is an event.
            self.over = True
            return event(error.to_openai())

    async def aclose(self) -> None:
        await self._stream.aclose()


Answer = Callable[[ApiRequest], Awaitable[ApiReply | EventStream]]


def replied(status: int, body: Any, headers: Pairs) -> ApiReply:
    """A reply with this object for its body."""
    return ApiReply(status=status, headers=headers, body=dumps(body))


def refusal(error: Exception, request_id: str) -> ApiReply:
    """The reply that tells of an error. A defect of ours is told without a traceback, and logged with one."""
    if not isinstance(error, ServedError):
        log.error("turnout: request %s failed in a way that it should not", request_id, exc_info=error)
        error = InternalError(f"internal error; request {request_id}")
    return replied(error.told_status, error.to_openai(), error_headers(error, request_id))
