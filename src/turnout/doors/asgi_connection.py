"""One client's connection at the ASGI door: reading its request's body, noticing when it hangs up, sending a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from turnout.api.exchange import ApiReply, EventStream, Reply
from turnout.doors.asgi_endpoint import Message, Receive, Send
from turnout.doors.base import check_size
from turnout.errors import CallerGone

T = TypeVar("T")


class Connection:
    """The client of one request for one of our own paths. Made for the request, and gone with it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def read_body(self, limit: int) -> bytes:
        """The request's body. Raises TooLarge beyond `limit` bytes, CallerGone where the client hangs up before its
        end."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            part = message.get("body", b"")
            size += len(part)
            check_size(size, limit)
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def unless_gone(self, work: Awaitable[T]) -> T:
        """The result of the work; CallerGone, with the work cancelled, where the client hangs up first."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._disconnected())
        both: set[asyncio.Future[Any]] = {working, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise CallerGone
        finally:
            for task in both:
                if not task.done():
                    task.cancel()
            await asyncio.wait(both)

    async def reply(self, reply: Reply, *, head_only: bool) -> None:
        """Sends the reply, to its end or until the client hangs up. head_only: without the body."""
        if isinstance(reply, ApiReply):
            await self._start(reply)
            await self._send_body(b"" if head_only else reply.body, more=False)
        else:
            await self._stream(reply)

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stream(self, events: EventStream) -> None:
        leaving = asyncio.ensure_future(self._disconnected())
        try:
            await self._start(events)
            await self._send_events(events, leaving)
        except CallerGone:
            return
        finally:
            leaving.cancel()
            try:
                await asyncio.wait({leaving})
            finally:
                await events.aclose()

    async def _send_events(self, events: EventStream, leaving: asyncio.Future[None]) -> None:
        while not events.over:
            following = asyncio.ensure_future(anext(events))
            try:
                either: set[asyncio.Future[Any]] = {following, leaving}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                # Looked at first: of a stream that never pauses, the next event is always there.
                if leaving.done() or not following.done():
                    raise CallerGone
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
            await self._send_body(following.result(), more=not events.over)

    async def _start(self, reply: Reply) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.all_headers]
        message: Message = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await self._send(message)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
