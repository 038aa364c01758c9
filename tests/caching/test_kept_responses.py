"""Responses that are kept: their user's alone, for their time, in any of the stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from turnout.caching.kept_responses import KeptResponse, ResponseStore
from turnout.errors import Overloaded
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.sqlite.entries import SqliteEntries
from turnout.testing import ManualClock


def test_responses_in_the_jobs_file_are_found_by_another_process(tmp_path: Path) -> None:
    """Their user's alone, for their time, within bounds; purged by user and by endpoint, without a word in the file."""

    async def main() -> None:
        clock, path = ManualClock(), tmp_path / "jobs.sqlite"
        entries = [SqliteEntries(str(path), clock, max_entries=3, max_bytes=100_000) for _ in range(2)]
        one, other = (ResponseStore(each, 60) for each in entries)
        ann = KeptResponse("user:ann", {"id": "x", "output": []}, [{"role": "user", "content": "zanzibar"}])
        bob = replace(ann, owner="user:bob")
        await one.put("resp_1", ann, "/v1/responses")
        assert await other.get("resp_1", "user:ann") == ann
        assert await other.get("resp_1", "user:bob") is None
        await clock.advance(1)
        for number in (2, 3, 4):
            await other.put(f"resp_{number}", bob if number == 3 else ann, "/ask" if number == 4 else "/v1/responses")
        assert await one.get("resp_1", "user:ann") is None
        assert await entries[0].purge(endpoint="/ask") == 1
        assert await entries[0].purge(user="user:ann") == 1
        assert await one.get("resp_3", "user:bob") == bob
        await one.drop("resp_3")
        assert await other.get("resp_3", "user:bob") is None
        await one.put("resp_5", ann, "/v1/responses")
        await clock.advance(61)
        assert await one.get("resp_5", "user:ann") is None
        assert await entries[0].purge() == 1
        for each in entries:
            await each.close()

    asyncio.run(main())
    assert not any(b"zanzibar" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_file_that_cannot_be_used_loses_no_answer(tmp_path: Path) -> None:
    """It is not kept; who asks for one is told to come back."""

    async def main() -> None:
        entries = SqliteEntries(str(tmp_path), ManualClock(), max_entries=3, max_bytes=100)
        store = ResponseStore(entries, 60)
        await store.put("resp_1", KeptResponse("user:ann", {}, []), "/v1/responses")
        with pytest.raises(Overloaded):
            await store.get("resp_1", "user:ann")
        await entries.close()

    asyncio.run(main())


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
