"""The CircuitStore in Redis. What is posted comes back on the Gate's entries (lua/functions/circuits.lua)."""

from __future__ import annotations

from contextlib import suppress

from turnout.ports.sharing import Circuit
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable

# Claims that can be released; those of alerts never are. An older one ends by itself.
MAX_CLAIMS = 1000


class RedisCircuitStore:
    """The CircuitStore of all processes that share a Redis. Where it is unreachable, nothing is posted and every claim
    is granted: each process holds a lease of its own too."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        # Our claim of each circuit, by the circuit's name.
        self._claims: dict[str, str] = {}

    async def post(self, name: str, circuit: Circuit) -> None:
        with suppress(StoreUnreachable):
            open_ms, paused_ms = round(circuit.open_for_s * 1000), round(circuit.paused_for_s * 1000)
            await self._client.here().session.run("post_circuit", name, int(circuit.open), open_ms, paused_ms)

    async def claim(self, name: str, lease_s: float) -> bool:
        claim = self._client.here().session.new_name()
        try:
            granted = bool(await self._client.here().session.run("claim_probe", name, claim, round(lease_s * 1000)))
        except StoreUnreachable:
            return True
        if granted:
            self._claims[name] = claim
            if len(self._claims) > MAX_CLAIMS:
                del self._claims[next(iter(self._claims))]
        return granted

    async def release(self, name: str) -> None:
        claim = self._claims.pop(name, None)
        if claim is not None:
            with suppress(StoreUnreachable):
                await self._client.here().session.run("release_probe", name, claim)
