"""Flights: what a reader gets however large its chunks, how far a call runs ahead, and who is cut off."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from turnout.caching.flights import BUFFER_BYTES, READ_AHEAD, ChunkBody, Flight
from turnout.errors import Overloaded
from turnout.testing import chunk, settle

MIB = 1 << 20


def sized(size: int) -> ChunkBody:
    return chunk({"content": "x" * size}, model="m")


def flying(chunks: list[ChunkBody], limit: Any = None) -> Flight[str, None]:
    flight: Flight[str, None] = Flight(None, streamed=True)

    async def run(flight: Flight[str, None]) -> None:
        for item in chunks:
            await (flight.publish(item, limit) if limit else flight.publish(item))
        flight.land("whole")

    flight.start(run)
    return flight


@pytest.mark.parametrize("sizes", [[3 * MIB], [65_536] * 60, [MIB + 1] * 5, [2 * MIB, 1, 1, 2 * MIB]])
def test_a_lone_reader_gets_its_whole_stream_however_large_its_chunks(sizes: list[int]) -> None:
    """Also one that comes late: what nobody has read is never dropped, and the call waits for its reader."""

    async def scenario() -> None:
        flight = flying([sized(size) for size in sizes])
        listener = flight.listen()
        await settle()
        received = 0
        async with asyncio.timeout(20):
            while batch := await listener.next_batch():
                received += sum(len(item["choices"][0]["delta"]["content"]) for item in batch)
                await settle()
        assert received == sum(sizes)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [1, 200_000, 2 * MIB])
def test_a_call_runs_ahead_of_its_fastest_reader_by_chunks_and_by_bytes(size: int) -> None:
    """`READ_AHEAD` chunks at most, and no chunk is begun beyond `BUFFER_BYTES`."""

    async def scenario() -> None:
        flight = flying([sized(size)] * 100)
        flight.listen()
        await settle(300)
        ahead = len(flight._chunks)
        assert ahead <= READ_AHEAD
        assert (ahead - 1) * size <= BUFFER_BYTES

    asyncio.run(scenario())


def test_a_follower_that_lags_behind_the_fastest_by_the_buffer_is_cut_off() -> None:
    """And the fastest reads on to its end."""

    async def scenario() -> None:
        flight = flying([sized(65_536)] * 60)
        fast, slow = flight.listen(), flight.listen()
        received = 0
        while batch := await fast.next_batch():
            received += len(batch)
        assert received == 60
        with pytest.raises(Overloaded):
            await slow.next_batch()

    asyncio.run(scenario())


def test_a_wait_for_readers_is_bounded_by_the_limit_and_begun_only_where_there_is_one() -> None:
    """No timer is set for a reader that keeps up; one that stalls runs into it, once."""
    begun: list[int] = []

    def limit() -> AbstractAsyncContextManager[Any]:
        begun.append(1)
        return asyncio.timeout(0)

    async def scenario() -> None:
        flight = flying([sized(1)] * (READ_AHEAD - 1), limit)
        flight.listen()
        await settle(100)
        assert flight.landed == "whole"
        assert begun == []
        stalled: Flight[str, None] = Flight(None, streamed=True)
        stalled.listen()
        for _ in range(READ_AHEAD - 1):
            await stalled.publish(sized(1), limit)
        with pytest.raises(TimeoutError):
            await stalled.publish(sized(1), limit)
        assert begun == [1]

    asyncio.run(scenario())
