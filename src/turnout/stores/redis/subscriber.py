"""The subscription of a session: one connection that receives the messages of the session's own channel."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError


class Subscriber:
    """Calls `on_message` with each message, and `on_loss` once where the connection breaks: messages were lost."""

    def __init__(
        self, connection: AbstractConnection, on_message: Callable[[bytes], None], on_loss: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._on_message = on_message
        self._on_loss = on_loss
        self._task = asyncio.create_task(self._read(), name="turnout.redis.subscriber")

    @property
    def is_open(self) -> bool:
        return not self._task.done()

    async def _read(self) -> None:
        try:
            while True:
                reply = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                if reply[0] == b"message":
                    self._on_message(reply[2])
        except (RedisError, OSError):
            self._on_loss()
        finally:
            await self._connection.disconnect(nowait=True)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def subscribe(connection: AbstractConnection, channel: str) -> AbstractConnection:
    """Returns the connection, subscribed: messages sent from now on arrive. Raises RedisError or OSError."""
    try:
        await connection.send_command("SUBSCRIBE", channel)
        await connection.read_response()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection
