"""Responses that are kept: their user's alone, for their time, in any of the stores."""

from __future__ import annotations

import asyncio

from turnout.caching.kept_responses import KeptResponse, ResponseStore
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import ManualClock


def test_a_response_comes_back_to_its_user_until_its_time_is_over() -> None:
    """Whole, with the chat so far; to nobody else; dropped, or at the end of its lifetime, to none."""

    async def main() -> None:
        clock = ManualClock()
        gate = MemoryGate(clock=clock, max_entries=10, max_bytes=100_000, lease_s=60)
        store = ResponseStore(gate, 60)
        kept = KeptResponse("user:ann", {"id": "resp_1", "output": []}, [{"role": "user", "content": "hé\ud800"}])
        await store.put("resp_1", kept, "/v1/responses")
        await store.put("resp_2", kept, "/v1/responses")
        assert await store.get("resp_1", "user:ann") == kept
        assert await store.get("resp_1", "user:bob") is None
        assert await store.get("resp_3", "user:ann") is None
        await store.drop("resp_1")
        assert await store.get("resp_1", "user:ann") is None
        await clock.advance(61)
        assert await store.get("resp_2", "user:ann") is None
        await store.put("resp_3", kept, "/v1/responses")
        assert await gate.purge(user="user:ann") == 1
        assert await store.get("resp_3", "user:ann") is None

    asyncio.run(main())
