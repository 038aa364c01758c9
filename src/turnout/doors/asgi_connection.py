"""One client's connection at the ASGI door: reading its request's body, noticing when it hangs up, sending a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from turnout.api.exchange import ApiReply, EventStream, Reply
from turnout.doors.asgi_body import BodyNotBytes, Message, RequestBody
from turnout.doors.asgi_endpoint import Receive, Send
from turnout.doors.base import check_size
from turnout.doors.hang_up import while_connected
from turnout.errors import CallerGone, InvalidRequest

# Between looks for the client's hang-up, in seconds, where `receive` answers with something else each time.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0

T = TypeVar("T")


class Connection:
    """The client of one request for one of our own paths. Made for the request, and gone with it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def read_body(self, limit: int) -> bytes:
        """The request's body. Raises TooLarge beyond `limit` bytes, CallerGone where the client hangs up before its
        end, InvalidRequest where what comes is no bytes."""
        body = RequestBody()
        while not body.over:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            try:
                await body.add(message)
            except BodyNotBytes as error:
                raise InvalidRequest(str(error)) from error
            check_size(body.size, limit)
        return body.whole()

    async def unless_gone(self, work: Awaitable[T]) -> T:
        """The result of the work; CallerGone, with the work cancelled, where the client hangs up first."""
        async with while_connected(self._disconnected()):
            return await work

    async def reply(self, reply: Reply, *, head_only: bool) -> None:
        """Sends the reply, to its end or until the client hangs up. head_only: without the body."""
        if isinstance(reply, ApiReply):
            await self._start(reply)
            await self._send_body(b"" if head_only else reply.body, more=False)
        else:
            await self._stream(reply)

    async def _disconnected(self) -> None:
        """Returns when the client has hung up, which nothing but `http.disconnect` says.

        A middleware outside may replay the body at once each time: that is no client that left, and may not keep the
        loop busy.
        """
        pause = FIRST_PAUSE_S
        while (await self._receive())["type"] != "http.disconnect":
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _stream(self, events: EventStream) -> None:
        try:
            async with while_connected(self._disconnected()):
                await self._start(events)
                async for piece in events:
                    await self._send_body(piece, more=not events.over)
        except CallerGone:
            return
        finally:
            await events.aclose()

    async def _start(self, reply: Reply) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in reply.all_headers]
        message: Message = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await self._send(message)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
