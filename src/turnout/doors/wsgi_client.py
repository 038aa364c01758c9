"""The client's connection at the WSGI door, under servers that show it: a client that hangs up ends its call, whose
thread is then free for others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from turnout.context import patiently
from turnout.doors.hang_up import while_connected

# Where gunicorn and Werkzeug's own server put it.
_PLACES = ("gunicorn.socket", "werkzeug.socket")

T = TypeVar("T")


class Client:
    """The client of one request. sock: None where the server does not show it, or where bytes on it are TLS's own."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        found = next((environ[place] for place in _PLACES if environ.get(place) is not None), None)
        self._socket = found if isinstance(found, socket.socket) and not isinstance(found, ssl.SSLSocket) else None

    @property
    def is_gone(self) -> bool:
        """Whether it has hung up. What it sent beyond its request stays to be read."""
        if self._socket is None:
            return False
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    async def unless_gone(self, work: Awaitable[T]) -> T:
        """The result of the work; CallerGone, with the work cancelled, where the client hangs up first."""
        if self._socket is None:
            return await patiently(work)
        async with while_connected(self._gone(self._socket)):
            return await work

    async def _gone(self, connection: socket.socket) -> None:
        """Returns when it has hung up; never where bytes of its next request hide that."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(connection, readable.set)
        except (NotImplementedError, OSError, ValueError):
            await loop.create_future()
        try:
            await readable.wait()
        finally:
            with contextlib.suppress(OSError, ValueError):
                loop.remove_reader(connection)
        if not self.is_gone:
            await loop.create_future()
