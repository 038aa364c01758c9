"""A TCP proxy before Redis that can delay, cut and replace what Redis answers."""

from __future__ import annotations

import asyncio
from typing import Any


class Proxy:
    """Listens at `port`. delay_s: before each reply; half: a reply ends in its middle, and its connection with it;
    replace: said in place of each reply; closed: no connection, old or new."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self.port = 0
        self.delay_s = 0.0
        self.half = False
        self.replace = b""
        self._closed = False

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends every connection and refuses new ones."""
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*filter(None, self._tasks), return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        self._tasks.add(asyncio.current_task())
        up = asyncio.create_task(self._pump(reader, far_writer, replies=False))
        down = asyncio.create_task(self._pump(far_reader, writer, replies=True))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for one in (writer, far_writer):
            one.transport.abort()
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        self._writers -= {writer, far_writer}
        self._tasks.discard(asyncio.current_task())

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        while data := await reader.read(1 << 16):
            if replies:
                await asyncio.sleep(self.delay_s)
                data = self.replace or data
                if self.half:
                    writer.write(data[: max(1, len(data) // 2)])
                    await writer.drain()
                    return
            writer.write(data)
            await writer.drain()
