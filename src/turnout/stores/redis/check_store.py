"""The CheckStore of all processes that share a Redis."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable


class RedisCheckStore:
    """Implements the CheckStore port."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def add(self, name: str, batch: str, counts: Sequence[int]) -> Sequence[int] | None:
        try:
            sums: Sequence[int] = await self._client.here().session.run("add_checks", name, batch, *counts)
        except StoreUnreachable:
            return None
        return sums
