"""An httpx transport that leads to a Turnout in the same process: for OpenAI-SDK and LangChain code in handlers.

    openai.AsyncOpenAI(api_key="-", base_url="http://turnout/v1",
                       http_client=httpx.AsyncClient(transport=turnout.transport()))

No socket is opened, so a handler cannot wait for the very worker that it keeps busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import httpx

from turnout import portal
from turnout.api.current import Running, loop_of, run_on_home_loop
from turnout.api.exchange import ApiReply, ApiRequest, EventStream, refusal, replied
from turnout.api.routes import Routes
from turnout.context import Caller, current_request, new_request_id
from turnout.errors import NotFound, UsageError
from turnout.settings.sections import VIRTUAL_MODELS


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """For `httpx.Client` and `httpx.AsyncClient` alike, any number of them.

    find: the Turnout that is meant; raises UsageError where none is. model: what any model's name is replaced by,
    but for auto, cheap, expensive, configured full names and aliases; None keeps it. The request's read timeout holds
    until the status line and between the pieces of a stream. Errors are HTTP statuses, as over a network.
    """

    def __init__(self, find: Callable[[], Running], model: str | None) -> None:
        self._find = find
        self._model = model

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        try:
            turnout = self._find()
            asked = self._asked(turnout, request, body)
            reply = await run_on_home_loop(turnout, partial(self._answered, turnout, asked, request))
        except UsageError as error:
            return _told(error, request)
        if isinstance(reply, ApiReply):
            return _whole(reply)
        return _streamed(reply, _AsyncPieces(_Timely(reply, request), turnout))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        try:
            turnout = self._find()
            asked = self._asked(turnout, request, body)
            opening = partial(self._opened, turnout, asked, request)
            pumped: portal.Pumped[ApiReply | EventStream, bytes] = portal.Pumped(loop_of(turnout), opening)
        except UsageError as error:
            return _told(error, request)
        reply = pumped.head
        return _whole(reply) if isinstance(reply, ApiReply) else _streamed(reply, _Pieces(pumped))

    def _asked(self, turnout: Running, request: httpx.Request, body: bytes) -> ApiRequest:
        handled = current_request.get()
        return ApiRequest(
            method=request.method,
            path=request.url.path,
            header=lambda name: request.headers.get(name, ""),
            body=body,
            caller=handled.find_caller() if handled is not None else Caller(),
            request_id=new_request_id(),
            started=turnout.clock.monotonic(),
            named=partial(self._named, turnout),
        )

    def _named(self, turnout: Running, model: str) -> str:
        if self._model is None or model in VIRTUAL_MODELS:
            return model
        settings = turnout.settings
        # Of the short names only aliases: what `gpt-4o` means in old code is for the app to say, not for us to guess.
        return model if model in settings.model_names or model in settings.routing.aliases else self._model

    async def _answered(self, turnout: Running, asked: ApiRequest, request: httpx.Request) -> ApiReply | EventStream:
        answer = Routes(turnout).find_below(asked.path)
        try:
            if answer is None:
                raise NotFound(
                    f"{asked.method} {asked.path} is not served in-process: "
                    "chat completions (/chat/completions) and models (/models) are"
                )
            async with _read_timeout(request):
                return await answer(asked)
        except httpx.ReadTimeout:
            raise
        except Exception as error:
            # The last line of this door too: what is no ServedError is a defect of ours.
            return refusal(error, asked.request_id)

    async def _opened(
        self, turnout: Running, asked: ApiRequest, request: httpx.Request
    ) -> tuple[ApiReply | EventStream, AsyncIterator[bytes] | None]:
        reply = await self._answered(turnout, asked, request)
        return reply, _Timely(reply, request) if isinstance(reply, EventStream) else None


def _whole(reply: ApiReply) -> httpx.Response:
    headers = reply.all_headers
    if reply.status >= 400:
        # The SDK's own retries would hold the handler, and multiply ours.
        headers.append(("x-should-retry", "false"))
    return httpx.Response(reply.status, headers=headers, content=reply.body)


def _streamed(events: EventStream, pieces: httpx.AsyncByteStream | httpx.SyncByteStream) -> httpx.Response:
    return httpx.Response(events.status, headers=events.all_headers, stream=pieces)


def _told(error: UsageError, request: httpx.Request) -> httpx.Response:
    """The openai SDK takes an exception for a lost connection: it sleeps, tries again and hides what was wrong.
    It shows what a status tells, and does as this header says. Anybody else gets the error itself."""
    if "x-stainless-lang" not in request.headers:
        raise error
    told = {"error": {"message": str(error), "type": "usage_error", "code": "usage_error", "param": None}}
    return _whole(replied(500, told, [("x-should-retry", "false")]))


@asynccontextmanager
async def _read_timeout(request: httpx.Request) -> AsyncIterator[None]:
    """httpx's read timeout, on work that reads no socket."""
    try:
        async with asyncio.timeout(request.extensions.get("timeout", {}).get("read")):
            yield
    except TimeoutError as late:
        raise httpx.ReadTimeout("no answer within the client's read timeout", request=request) from late


class _Timely:
    """Events, each within the client's read timeout."""

    def __init__(self, events: EventStream, request: httpx.Request) -> None:
        self._events = events
        self._request = request

    def __aiter__(self) -> _Timely:
        return self

    async def __anext__(self) -> bytes:
        async with _read_timeout(self._request):
            return await anext(self._events)

    async def aclose(self) -> None:
        await self._events.aclose()


class _AsyncPieces(httpx.AsyncByteStream):
    def __init__(self, events: _Timely, turnout: Running) -> None:
        self._events = events
        self._turnout = turnout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await run_on_home_loop(self._turnout, self._next)) is not None:
            yield piece

    async def _next(self) -> bytes | None:
        return await anext(self._events, None)

    async def aclose(self) -> None:
        await run_on_home_loop(self._turnout, self._events.aclose)


class _Pieces(httpx.SyncByteStream):
    def __init__(self, pumped: portal.Pumped[ApiReply | EventStream, bytes]) -> None:
        self._pumped = pumped

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pumped)

    def close(self) -> None:
        self._pumped.close()
