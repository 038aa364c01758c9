"""Redis by URL: one server, a socket file, behind Sentinel, or the node of a Cluster that holds our keys."""

from __future__ import annotations

from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection

from turnout.stores.line import Connect


def connect_by(url: str, root: str) -> Connect:
    """What opens a new connection to this URL. `root`: the hash tag that all our keys are under."""

    async def alone() -> AbstractConnection:
        pool = ConnectionPool.from_url(url, **_PLAIN)
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    return alone


# The line keeps the time itself; RESP 2 is what every server since 6.2 speaks without a greeting.
_PLAIN: dict[str, Any] = {"socket_timeout": None, "protocol": 2}
