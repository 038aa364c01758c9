"""A process' letters: one subscriber connection, on the channel that bears the process' name."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from turnout.stores.redis.connection import Connect, StoreUnreachable


class Subscriber:
    """Hands each letter to `read`; `cut` is called once where the connection breaks: letters were lost."""

    def __init__(self, connection: AbstractConnection, read: Callable[[bytes], None], cut: Callable[[], None]) -> None:
        self._connection = connection
        self._read_letter = read
        self._cut = cut
        self._task = asyncio.create_task(self._read(), name="turnout.redis.mailbox")

    @classmethod
    async def open(
        cls,
        connect: Connect,
        channel: str,
        patience_s: float,
        *,
        read: Callable[[bytes], None],
        cut: Callable[[], None],
    ) -> Subscriber:
        """Connects and subscribes; letters sent from now on arrive. Raises LineDown."""
        try:
            async with asyncio.timeout(patience_s):
                connection = await _subscribed(await connect(), channel)
        except TimeoutError as error:
            raise StoreUnreachable("no subscription within the time allowed", hung=True) from error
        except (RedisError, OSError) as error:
            raise StoreUnreachable(str(error)) from error
        return cls(connection, read, cut)

    @property
    def open_still(self) -> bool:
        return not self._task.done()

    async def _read(self) -> None:
        try:
            while True:
                told = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                if told[0] == b"message":
                    self._read_letter(told[2])
        except (RedisError, OSError):
            self._cut()
        finally:
            await self._connection.disconnect(nowait=True)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def _subscribed(connection: AbstractConnection, channel: str) -> AbstractConnection:
    try:
        await connection.send_command("SUBSCRIBE", channel)
        await connection.read_response()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection
