"""Frames are read in order, and a flight of which one is missing is lost."""

from __future__ import annotations

import asyncio

import pytest

from turnout.ports.sharing import FlightLost
from turnout.stores.redis.frame_buffer import MAX_BYTES, FrameBuffer


def buffer_of(*frames: bytes | None) -> FrameBuffer:
    buffer = FrameBuffer(b"key", "lease")
    for number, frame in enumerate(frames):
        buffer.put(number, frame)
    return buffer


def read(buffer: FrameBuffer) -> list[bytes]:
    """Every frame until the end. Raises FlightLost."""

    async def all_of_it() -> list[bytes]:
        frames = []
        while (frame := await buffer.next()) is not None:
            frames.append(frame)
        return frames

    return asyncio.run(asyncio.wait_for(all_of_it(), 5))


def test_frames_are_read_in_order_to_their_end() -> None:
    """And the end once it has been received."""
    assert read(buffer_of(b"one", b"two", None)) == [b"one", b"two"]


def test_a_missing_frame_loses_the_flight() -> None:
    """Whatever came before it is not read either: half an answer is none."""
    buffer = buffer_of(b"one")
    buffer.put(2, b"three")
    with pytest.raises(FlightLost, match="part of it"):
        read(buffer)


def test_a_reader_that_falls_too_far_behind_is_cut_off() -> None:
    """What is unread is bounded in bytes, not in frames."""
    assert len(read(buffer_of(b"x" * MAX_BYTES, None))) == 1
    with pytest.raises(FlightLost, match="too far behind"):
        read(buffer_of(b"x" * MAX_BYTES, b"x"))


def test_what_is_whole_cannot_be_lost_any_more() -> None:
    """The connection may break after the last frame."""
    buffer = buffer_of(b"one", None)
    buffer.fail("the connection broke")
    assert read(buffer) == [b"one"]


def test_a_reader_that_waits_is_woken_by_the_next_frame() -> None:
    """And by a loss."""

    async def scenario() -> None:
        buffer = buffer_of()
        reading = asyncio.ensure_future(buffer.next())
        await asyncio.sleep(0)
        buffer.put(0, b"one")
        assert await reading == b"one"
        reading = asyncio.ensure_future(buffer.next())
        await asyncio.sleep(0)
        buffer.fail("gone")
        with pytest.raises(FlightLost, match="gone"):
            await reading

    asyncio.run(asyncio.wait_for(scenario(), 5))
