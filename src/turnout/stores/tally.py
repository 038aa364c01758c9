"""The Tally in Redis. Its debt rides back on the Gate's entries (lua/tallies.lua)."""

from __future__ import annotations

from struct import pack, unpack

from turnout.ports import TALLIED, Routed, Tallied
from turnout.stores.claims import MILLIONTHS
from turnout.stores.line import LineDown
from turnout.stores.seats import Seats


class RedisTally:
    """The Tally of all processes that share a Redis."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats

    async def add(self, name: str, routed: Routed, since: int) -> Tallied | None:
        scores = routed.scores[-TALLIED:]
        packed = pack(f">{len(scores)}d", *scores)
        try:
            debt, count, others, processes = await self._seats.run(
                "tally", name, round(routed.debt * MILLIONTHS), since, packed
            )
        except LineDown:
            return None
        return Tallied(
            debt=debt / MILLIONTHS,
            count=count,
            scores=unpack(f">{len(others) // 8}d", others),
            processes=max(1, processes),
        )
