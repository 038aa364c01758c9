"""The Switchboard in Redis. What is posted rides back on the Gate's entries (lua/circuits.lua)."""

from __future__ import annotations

from contextlib import suppress

from turnout.ports.sharing import Circuit
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable


class RedisCircuitStore:
    """The Switchboard of all processes that share a Redis. Where it cannot be asked, nothing is told and every
    claim is let through: each process has its own lease besides."""

    def __init__(self, seats: RedisClient) -> None:
        self._seats = seats
        # The probes that are ours, each under the name that it was claimed by.
        self._claimed: dict[str, str] = {}

    async def post(self, name: str, circuit: Circuit) -> None:
        with suppress(StoreUnreachable):
            open_ms, paused_ms = round(circuit.open_for_s * 1000), round(circuit.paused_for_s * 1000)
            await self._seats.run("post", name, int(circuit.open), open_ms, paused_ms)

    async def claim(self, name: str, lease_s: float) -> bool:
        probe = self._seats.here().new_name()
        try:
            ours = bool(await self._seats.run("claim", name, probe, round(lease_s * 1000)))
        except StoreUnreachable:
            return True
        if ours:
            self._claimed[name] = probe
        return ours

    async def release(self, name: str) -> None:
        probe = self._claimed.pop(name, None)
        if probe is not None:
            with suppress(StoreUnreachable):
                await self._seats.run("release", name, probe)
