"""A loopback HTTP server that speaks the providers' own wires and plays what the test scripts, request by request."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from types import ModuleType

from aiohttp import web

from tests.support.scripted_provider import anthropic_wire, cohere_wire, gemini_wire, openai_wire
from tests.support.scripted_provider.replies import Answer, Failure, Frames, HttpError, Raw, Received, Reply

_WIRES: tuple[ModuleType, ...] = (openai_wire, anthropic_wire, gemini_wire, cohere_wire)
_JSON, _SSE, _HTML = "application/json", "text/event-stream", "text/html"
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_GARBAGE = b"\xff\xfe\x00 not json"
_DRIP_S = 0.05
# The errors that an answer's status or a stream hides.
_HIDDEN = "overloaded"


class _CutError(Exception):
    """The connection is to end here, whatever was promised."""


class ScriptedServer:
    """Plays `script(request)`, or what was queued by `queue`, or a plain answer; keeps what it `received`.

    Which wire a request is on shows by its path: .../chat/completions (OpenAI), /v1/messages (Anthropic),
    ...:generateContent (Gemini), /v2/chat (Cohere). `left` counts clients that went before their answer's end, `active`
    the requests under way, `connections` all that were ever opened.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: Callable[[Received], Reply] | None = None
        self.left = 0
        self.active = 0
        self.connections = 0
        self._queue: deque[Reply] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-provider", daemon=True)
        self._seen: set[int] = set()
        self._runner: web.AppRunner
        self.origin = ""

    def queue(self, *replies: Reply) -> None:
        """The replies to the next requests, one each."""
        self._queue.extend(replies)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def _reply(self, request: Received) -> Reply:
        if self._queue:
            return self._queue.popleft()
        return self.script(request) if self.script is not None else Answer()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if (transport := request.transport) is not None and id(transport) not in self._seen:
            self._seen.add(id(transport))
            self.connections += 1
        received = Received(
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=json.loads(await request.read() or b"null"),
        )
        self.received.append(received)
        self.active += 1
        try:
            return await self._answer(request, received, self._reply(received))
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise
        except _CutError:
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        finally:
            self.active -= 1

    async def _answer(self, request: web.Request, received: Received, reply: Reply) -> web.StreamResponse:
        wire = next((wire for wire in _WIRES if wire.serves(received.path)), None)
        if isinstance(reply, Raw):
            return await _pieces(request, reply)
        if wire is None:
            return web.json_response({"error": {"message": f"no such path: {received.path}"}}, status=404)
        if isinstance(reply, Failure):
            error: HttpError = wire.ERRORS[reply.kind]
            headers = {"retry-after": f"{reply.retry_after:g}"} if reply.retry_after is not None else {}
            return web.json_response(error.body, status=error.status, headers=headers)
        if wire is anthropic_wire and (refused := anthropic_wire.refusal(received)) is not None:
            return web.json_response(refused.body, status=refused.status)
        await asyncio.sleep(reply.delay_s)
        if reply.fault in _BARE:
            return await _BARE[reply.fault](request)
        if wire.streams(received):
            return await _stream(request, reply, wire, wire.frames(reply, received))
        return await _whole(request, reply, wire, json.dumps(wire.whole(reply, received)).encode())


async def _pieces(request: web.Request, raw: Raw) -> web.StreamResponse:
    response = web.StreamResponse(status=raw.status, headers=dict(raw.headers))
    await response.prepare(request)
    for piece in raw.pieces:
        await response.write(piece)
        await asyncio.sleep(raw.pause_s)
    return response


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def _reset(request: web.Request) -> web.StreamResponse:
    """Closes so that the client gets a reset instead of an end."""
    if (transport := request.transport) is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    raise _CutError


async def _bad_gateway(_: web.Request) -> web.StreamResponse:
    return web.Response(status=502, body=_PAGE, content_type=_HTML)


async def _page(_: web.Request) -> web.StreamResponse:
    return web.Response(body=_PAGE, content_type=_HTML)


# Faults that are the same for a whole answer and a stream.
_BARE = {"hang": _hang, "reset": _reset, "html_502": _bad_gateway, "html_200": _page}


async def _whole(request: web.Request, answer: Answer, wire: ModuleType, body: bytes) -> web.StreamResponse:
    # All but the end: the words are there, and still it is no answer.
    half = body[: len(body) * 3 // 4]
    match answer.fault:
        case "error_in_200" | "error_in_stream":
            return web.json_response(wire.ERRORS[_HIDDEN].body)
        case "garbage":
            return web.Response(body=_GARBAGE, content_type=_JSON)
        case "truncated":
            return web.Response(body=half, content_type=_JSON)
        case "drip" | "drip_between" | "endless":
            return await _play(request, _JSON, [half] if answer.fault == "drip_between" else [], drip=b" ")
        case "hang_between" | "reset_between" | "cut" | "half_frame":
            response = web.StreamResponse(headers={"content-type": _JSON, "content-length": str(len(body))})
            await response.prepare(request)
            await response.write(half)
            return await _broken(request, answer.fault)
        case _:
            return web.Response(body=body, content_type=_JSON)


async def _stream(request: web.Request, answer: Answer, wire: ModuleType, frames: Frames) -> web.StreamResponse:
    words, finish, done = frames
    half = words[: max(1, len(words) * 3 // 4)]
    match answer.fault:
        case "error_in_200":
            return await _play(request, _SSE, [wire.error_event(wire.ERRORS[_HIDDEN])])
        case "error_in_stream":
            return await _play(request, _SSE, [*half, wire.error_event(wire.ERRORS[_HIDDEN])])
        case "garbage":
            return await _play(request, _SSE, [_GARBAGE])
        case "truncated":
            return await _play(request, _SSE, [*half, words[-1].rstrip()[:-9] + b"\n\n", *done])
        case "drip" | "drip_between":
            return await _play(request, _SSE, half if answer.fault == "drip_between" else [], drip=b":\n")
        case "endless":
            return await _play(request, _SSE, words, drip=words[-2] if len(words) > 1 else words[-1], pause_s=0.001)
        case "hang_between" | "reset_between" | "cut" | "half_frame":
            pieces = [*half, words[-1][:-9]] if answer.fault == "half_frame" else half
            await _play(request, _SSE, pieces)
            return await _broken(request, answer.fault)
        case "no_done":
            return await _play(request, _SSE, [*words, *finish])
        case "no_finish":
            return await _play(request, _SSE, [*words, *done])
        case _:
            return await _play(request, _SSE, [*words, *finish, *done])


async def _play(
    request: web.Request, kind: str, pieces: Iterable[bytes], *, drip: bytes = b"", pause_s: float = _DRIP_S
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": kind})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    while drip:
        await response.write(drip)
        await asyncio.sleep(pause_s)
    return response


async def _broken(request: web.Request, fault: str) -> web.StreamResponse:
    if fault == "hang_between":
        return await _hang(request)
    if fault == "reset_between":
        # What was written must be read before the reset overtakes it.
        await asyncio.sleep(_DRIP_S)
        return await _reset(request)
    raise _CutError
