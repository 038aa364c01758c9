"""The Tally in Redis. Its debt rides back on the Gate's entries (lua/tallies.lua)."""

from __future__ import annotations

from struct import pack, unpack

from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.codec import MILLIONTHS
from turnout.stores.redis.connection import StoreUnreachable


class RedisShareStore:
    """The Tally of all processes that share a Redis."""

    def __init__(self, seats: RedisClient) -> None:
        self._seats = seats

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        scores = routed.scores[-SHARED_SCORES:]
        packed = pack(f">{len(scores)}d", *scores)
        try:
            debt, count, others, processes = await self._seats.run(
                "tally", name, round(routed.debt * MILLIONTHS), since, packed
            )
        except StoreUnreachable:
            return None
        return ShareState(
            debt=debt / MILLIONTHS,
            count=count,
            scores=unpack(f">{len(others) // 8}d", others),
            processes=max(1, processes),
        )
