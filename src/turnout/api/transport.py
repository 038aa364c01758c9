"""A transport for httpx and httpx2 that leads to a Turnout in the same process: for OpenAI-SDK and LangChain code.

    openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1",
                       http_client=httpx.AsyncClient(transport=turnout.transport()))

No socket is opened, so a handler cannot wait for the very worker that it keeps busy.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import httpx

from turnout import portal
from turnout.api.exchange import ERROR_EXTENSION, ApiReply, ApiRequest, EventStream, Reply, json_reply
from turnout.api.routes import Api
from turnout.context import current_caller, new_request_id
from turnout.errors import UsageError
from turnout.home_loop import HomeLoop
from turnout.settings import Settings
from turnout.settings.sections import VIRTUAL_MODELS

if TYPE_CHECKING:
    import httpx2

    # To a type checker a transport of both libraries. At run time httpx2 need not be there, and asks for no base.
    class _Bases(httpx.BaseTransport, httpx.AsyncBaseTransport, httpx2.BaseTransport, httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: Any) -> Any: ...
        def handle_request(self, request: Any) -> Any: ...
else:

    class _Bases(httpx.BaseTransport, httpx.AsyncBaseTransport):
        pass


class Transport(_Bases):
    """For `httpx.Client` and `httpx.AsyncClient` alike, any number of them; and for those of httpx2, whose requests and
    responses have the same names: each request is answered with a response of its own library.

    find: gives the API to send a request to; raises UsageError where there is none. model: replaces any model's name
    but auto, cheap, expensive, configured full names and aliases; None keeps it. The client's read timeout holds
    until the status line and between the pieces of a stream. Errors are HTTP statuses, as over a network.
    """

    def __init__(self, find: Callable[[], Api], model: str | None) -> None:
        self._find = find
        self._model = model

    async def handle_async_request(self, request: Any) -> Any:
        body = await request.aread()
        try:
            api = self._find()
            reply = await api.home.run(partial(_answer, api, self._api_request(api, request, body), request))
        except UsageError as error:
            return _usage_error(error, request)
        if isinstance(reply, ApiReply):
            return _complete_response(reply, request)
        pieces = _stream_types(_library(request))[0](_TimedEvents(reply, request), api.home)
        return _streamed_response(reply, pieces, request)

    def handle_request(self, request: Any) -> Any:
        body = request.read()
        try:
            api = self._find()
            opening = partial(_open, api, self._api_request(api, request, body), request)
            pieces = _stream_types(_library(request))[1](api.home.for_thread(), opening)
        except UsageError as error:
            return _usage_error(error, request)
        reply = pieces.head
        if isinstance(reply, ApiReply):
            return _complete_response(reply, request)
        return _streamed_response(reply, pieces, request)

    def _api_request(self, api: Api, request: httpx.Request, body: bytes) -> ApiRequest:
        return ApiRequest(
            method=request.method,
            path=request.url.path,
            header=lambda name: request.headers.get(name, ""),
            body=body,
            caller=current_caller(),
            request_id=new_request_id(),
            started=api.clock.monotonic(),
            rename_model=partial(self._rename_model, api.settings),
            own_code=True,
        )

    def _rename_model(self, settings: Settings, name: str) -> str:
        if self._model is None or name in VIRTUAL_MODELS:
            return name
        # Of the short names only aliases: what `gpt-4o` means in old code is for the app to say, not for us to guess.
        return name if name in settings.every_model or name in settings.routing.aliases else self._model


async def _answer(api: Api, request: ApiRequest, http_request: httpx.Request) -> Reply:
    try:
        route = api.routes.find_relative(request.path)
        async with _read_timeout(http_request):
            return await route(request)
    except _library(http_request).ReadTimeout:
        raise
    except Exception as error:
        # The outermost code of this door: what is no ServedError is a defect of ours.
        return api.refusal(error, request.request_id)


async def _open(
    api: Api, request: ApiRequest, http_request: httpx.Request
) -> tuple[Reply, AsyncIterator[bytes] | None]:
    reply = await _answer(api, request, http_request)
    return reply, _TimedEvents(reply, http_request) if isinstance(reply, EventStream) else None


def _library(request: httpx.Request) -> Any:
    """The library that this request belongs to: httpx, or httpx2."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def _complete_response(reply: ApiReply, request: httpx.Request) -> httpx.Response:
    headers = reply.all_headers
    if reply.status >= 400:
        # The SDK's own retries would hold the handler, and multiply ours.
        headers.append(("x-should-retry", "false"))
    response: httpx.Response = _library(request).Response(reply.status, headers=headers, content=reply.body)
    if reply.error is not None:
        response.extensions[ERROR_EXTENSION] = reply.error
    return response


def _streamed_response(events: EventStream, pieces: Any, request: httpx.Request) -> httpx.Response:
    response: httpx.Response = _library(request).Response(events.status, headers=events.all_headers, stream=pieces)
    return response


def _usage_error(error: UsageError, request: httpx.Request) -> httpx.Response:
    """The openai SDK takes an exception for a lost connection: it sleeps, tries again and hides what was wrong. It
    shows a status' message, and obeys `x-should-retry`. Any other client gets the error itself."""
    if "x-stainless-lang" not in request.headers:
        raise error
    body = {"error": {"message": str(error), "type": "usage_error", "code": "usage_error", "param": None}}
    return _complete_response(json_reply(500, body, []), request)


@asynccontextmanager
async def _read_timeout(request: httpx.Request) -> AsyncIterator[None]:
    """httpx's read timeout, on work that reads no socket."""
    try:
        async with asyncio.timeout(request.extensions.get("timeout", {}).get("read")):
            yield
    except TimeoutError as error:
        raise _library(request).ReadTimeout("no answer within the client's read timeout", request=request) from error


class _TimedEvents:
    """The events of a stream, each within the client's read timeout."""

    def __init__(self, events: EventStream, request: httpx.Request) -> None:
        self._events = events
        self._request = request

    def __aiter__(self) -> _TimedEvents:
        return self

    async def __anext__(self) -> bytes:
        async with _read_timeout(self._request):
            return await anext(self._events)

    async def aclose(self) -> None:
        await self._events.aclose()


class _AsyncPieces:
    """A stream's events for an AsyncClient on any loop, pulled on the home loop."""

    def __init__(self, events: _TimedEvents, home: HomeLoop) -> None:
        self._events = events
        self._home = home

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._home.run(self._next)) is not None:
            yield piece

    async def _next(self) -> bytes | None:
        return await anext(self._events, None)

    async def aclose(self) -> None:
        await self._home.run(self._events.aclose)


@cache
def _stream_types(library: Any) -> tuple[type[_AsyncPieces], type[portal.Pumped[Reply, bytes]]]:
    """The streams of this library's responses, for its AsyncClient and its Client: each checks for its own bases."""
    asynchronous = type("AsyncPieces", (_AsyncPieces, library.AsyncByteStream), {})
    blocking = type("Pieces", (portal.Pumped, library.SyncByteStream), {})
    return asynchronous, blocking
