"""The Relay over Redis' letters: a flight of one process, followed by others."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from turnout.ports.sharing import FrameSource
from turnout.stores.redis.client import RedisClient


class RedisFlightBroker:
    """The Relay of all processes that share a Redis."""

    def __init__(self, seats: RedisClient) -> None:
        self._seats = seats

    def share(self, key: bytes, lease: str, tell: FrameSource) -> None:
        self._seats.here().station.share(key, lease, tell)

    def end(self, lease: str) -> None:
        self._seats.here().station.end(lease)

    def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        return self._seats.here().station.follow(key, lease, chunks=chunks)
