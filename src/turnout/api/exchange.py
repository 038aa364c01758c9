"""Requests and replies of the HTTP API, whatever brings them: ApiRequest in, ApiReply or EventStream out."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from turnout.api.response_headers import Headers, outcome_headers
from turnout.context import Caller, RequestContext, patiently
from turnout.errors import InternalError, ServedError
from turnout.openai.answers import DONE, Body, dumps, event
from turnout.openai.completion import AnswerStream
from turnout.openai.requests import ChatRequest
from turnout.ports.jobs import Job
from turnout.ports.runtime import Observer
from turnout.telemetry import names

log = logging.getLogger("turnout")

# Among the `extensions` of a response of the in-process transport that tells of an error: the ServedError itself. By it
# a door knows what the SDK's own error, which a handler let pass, was raised for.
ERROR_EXTENSION = "turnout_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request for one of our own paths, as a door or the in-process transport read it.

    path: below where the app is mounted. root: where that is, "" at the top. header: gives a header's text by its
    lower-case name, "" where absent. body: empty unless the method is POST. started: by the clock's monotonic.
    rename_model: gives the name to route by for the name in the body; None: as it is. waits: how the caller waits
    for what may take long. own_code: whether the app's own code asks, over the in-process transport. query: behind
    the path's "?". client: the address that the request came from, "" where none is known. secure: whether it came
    by https. long_lived: whether a reply may stay open for long without holding a thread.
    """

    method: str
    path: str
    header: Callable[[str], str]
    body: bytes
    caller: Caller
    request_id: str
    started: float
    rename_model: Callable[[str], str] | None = None
    waits: Callable[[Awaitable[Any]], Awaitable[Any]] = patiently
    own_code: bool = False
    query: str = ""
    client: str = ""
    secure: bool = False
    long_lived: bool = False
    root: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReply:
    """A complete reply. headers: all but content type and length. error: that which it tells of, for the
    app's own code; None for an answer."""

    status: int
    headers: Headers
    body: bytes
    content_type: str = "application/json"
    error: ServedError | None = None

    @property
    def all_headers(self) -> Headers:
        """The headers to send, content type and length first."""
        if self.status == 204:
            return list(self.headers)
        return [("content-type", self.content_type), ("content-length", str(len(self.body))), *self.headers]


class EventStream(ABC):
    """A reply that is a stream of server-sent events. `over` is True once the last one is out. headers: beside those
    that every stream of events has. To stop reading early: `await aclose()`."""

    status = 200

    def __init__(self, headers: Headers, cache_control: str = "no-cache") -> None:
        self._headers = headers
        self._cache_control = cache_control
        self.over = False

    @property
    def all_headers(self) -> Headers:
        """The headers to send before the first event."""
        return [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", self._cache_control),
            # nginx buffers event streams otherwise.
            ("x-accel-buffering", "no"),
            *self._headers,
        ]

    def __aiter__(self) -> EventStream:
        return self

    @abstractmethod
    async def __anext__(self) -> bytes:
        """The next events, as one piece."""

    async def aclose(self) -> None:
        """Nothing is read any more."""
        return


class EventTranslator(Protocol):
    """Makes a protocol's events of a stream's chunks."""

    def feed(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of the next chunk."""
        ...

    def end(self) -> bytes:
        """The events after the last chunk."""
        ...

    def fail(self, error: ServedError) -> bytes:
        """The event of a stream that breaks off: the status line is out, nothing else can carry the error."""
        ...


class ChatEvents:
    """The events of chat completions. A stream that breaks off ends with one error event and no [DONE]."""

    feed = staticmethod(event)

    def end(self) -> bytes:
        return DONE

    def fail(self, error: ServedError) -> bytes:
        return event(error.to_openai())


CHAT_EVENTS = ChatEvents()


class AnswerEvents(EventStream):
    """The chunks of an answer as events. Those that are here already come together, as one piece. ended: awaited where
    the answer is whole, before its last events are out."""

    def __init__(
        self,
        stream: AnswerStream,
        translator: EventTranslator = CHAT_EVENTS,
        ended: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(outcome_headers(stream.head, whole=False))
        self._stream = stream
        self._translator = translator
        self._ended = ended

    async def __anext__(self) -> bytes:
        if self.over:
            raise StopAsyncIteration
        try:
            while True:
                if events := b"".join(map(self._translator.feed, await self._stream.next_batch())):
                    return events
        except StopAsyncIteration:
            self.over = True
            events = self._translator.end()
            if self._ended is not None:
                await self._ended()
            return events
        except ServedError as error:
            self.over = True
            return self._translator.fail(error)

    async def aclose(self) -> None:
        await self._stream.aclose()


Reply = ApiReply | EventStream


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrigin:
    """A job that was submitted in another protocol than chat completions. asked: what its protocol noted of the body
    that asked."""

    id: str
    asked: Mapping[str, Any]


class WireAdapter(Protocol):
    """Another protocol whose requests may become jobs: how their results, events and errors look there."""

    @property
    def name(self) -> str:
        """What jobs know it by."""
        ...

    def result(self, completion: Body, job: JobOrigin) -> Body:
        """The whole answer."""
        ...

    def translator(self, job: JobOrigin) -> EventTranslator:
        """Makes the events of a stream."""
        ...

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        """The body that tells of a failed job's error, given in OpenAI's shape, under this HTTP status."""
        ...


class Submissions(Protocol):
    """Takes requests that become jobs."""

    def wants(self, request: ApiRequest, wire: WireAdapter | None = None) -> bool:
        """Whether this request becomes a job. wire: the protocol that it came in; None: chat completions."""
        ...

    async def accept(
        self,
        request: ApiRequest,
        chat: ChatRequest,
        context: RequestContext,
        wire: WireAdapter | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The reply to its submission. asked: see JobOrigin. Raises ServedError."""
        ...

    async def begin(
        self,
        request: ApiRequest,
        chat: ChatRequest,
        context: RequestContext,
        wire: WireAdapter,
        asked: Mapping[str, Any],
    ) -> Job:
        """The accepted job. Raises ServedError."""
        ...

    async def look_up(self, job_id: str) -> Job | None:
        """The job, whoever asks. Raises Overloaded where it cannot be looked up."""
        ...

    async def cancel(self, job: Job) -> Job | None:
        """Cancels the job, and returns it as it is then. Raises Overloaded."""
        ...

    async def forget(self, job: Job) -> None:
        """Deletes the job with its result; one that runs is stopped. Raises Overloaded."""
        ...


Responder = Callable[[ApiRequest], Awaitable[Reply]]


def json_reply(status: int, body: Any, headers: Headers, error: ServedError | None = None) -> ApiReply:
    """The reply whose body is this object as JSON. error: that which it tells of."""
    return ApiReply(status=status, headers=headers, body=dumps(body), error=error)


def note_refused(observer: Observer, error: Exception) -> None:
    """Tells of an error that ended a request before it was routed."""
    if isinstance(error, ServedError) and not error.has_outcome:
        observer.event(None, names.EVENT_REFUSED, {names.ERROR_TYPE: error.told_code})


def error_reply(error: Exception, request_id: str) -> ApiReply:
    """The reply for an error, in OpenAI's shape. What is no ServedError is a defect of ours: the log gets its text
    and traceback, the caller only the request id."""
    if not isinstance(error, ServedError):
        log.error("turnout: request %s failed with an internal error", request_id, exc_info=error)
        error = InternalError(f"internal error; request {request_id}")
    headers = [("x-request-id", request_id), *error.told_headers]
    return json_reply(error.told_status, error.to_openai(), headers, error)
