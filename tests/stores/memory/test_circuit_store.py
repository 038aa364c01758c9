"""What the circuit store of one process keeps is bounded."""

from __future__ import annotations

import asyncio

from turnout.stores.memory.circuit_store import MAX_CLAIMS, MemoryCircuitStore
from turnout.testing import ManualClock


def test_claims_are_bounded() -> None:
    """A hundred thousand invented names leave as many claims as may be kept, the newest."""

    async def scenario() -> None:
        store = MemoryCircuitStore(clock=ManualClock())
        for number in range(100_000):
            assert await store.claim(f"alert {number}", 1e9)
        assert len(store._probes) == MAX_CLAIMS
        assert not await store.claim("alert 99999", 1e9)

    asyncio.run(scenario())
