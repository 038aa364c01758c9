"""The ShareStore in Redis. A share's debt comes back on the Gate's entries (lua/functions/shares.lua)."""

from __future__ import annotations

from struct import pack, unpack

from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.codec import MILLIONTHS
from turnout.stores.redis.connection import StoreUnreachable


class RedisShareStore:
    """The ShareStore of all processes that share a Redis."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        scores = routed.scores[-SHARED_SCORES:]
        packed = pack(f">{len(scores)}d", *scores)
        try:
            debt, count, others, processes = await self._client.here().session.run(
                "add_to_share", name, round(routed.debt * MILLIONTHS), since, packed
            )
        except StoreUnreachable:
            return None
        return ShareState(
            debt=debt / MILLIONTHS,
            count=count,
            scores=unpack(f">{len(others) // 8}d", others),
            processes=max(1, processes),
        )
