"""Frames are read in order, and a flight of which one is missing is lost."""

from __future__ import annotations

import asyncio

import pytest

from turnout.ports.sharing import FlightLost
from turnout.stores.redis.frame_buffer import INBOX_BYTES, FrameBuffer


def inbox(*frames: bytes | None) -> FrameBuffer:
    filled = FrameBuffer(b"key", "lease")
    for number, frame in enumerate(frames):
        filled.put(number, frame)
    return filled


def read(filled: FrameBuffer) -> list[bytes]:
    """Every frame until the end. Raises FlightLost."""

    async def all_of_it() -> list[bytes]:
        frames = []
        while (frame := await filled.next()) is not None:
            frames.append(frame)
        return frames

    return asyncio.run(asyncio.wait_for(all_of_it(), 5))


def test_frames_are_read_in_order_to_their_end() -> None:
    """And the end is told once it is here."""
    assert read(inbox(b"one", b"two", None)) == [b"one", b"two"]


def test_a_missing_frame_loses_the_flight() -> None:
    """Whatever came before it is not read either: half an answer is none."""
    filled = inbox(b"one")
    filled.put(2, b"three")
    with pytest.raises(FlightLost, match="part of it"):
        read(filled)


def test_a_reader_that_falls_too_far_behind_is_cut_off() -> None:
    """What is unread is bounded in bytes, not in frames."""
    assert len(read(inbox(b"x" * INBOX_BYTES, None))) == 1
    with pytest.raises(FlightLost, match="too far behind"):
        read(inbox(b"x" * INBOX_BYTES, b"x"))


def test_what_is_whole_cannot_be_lost_any_more() -> None:
    """The connection may break after the last frame."""
    filled = inbox(b"one", None)
    filled.lose("the connection broke")
    assert read(filled) == [b"one"]


def test_a_reader_that_waits_is_woken_by_the_next_frame() -> None:
    """And by a loss."""

    async def scenario() -> None:
        filled = inbox()
        reading = asyncio.ensure_future(filled.next())
        await asyncio.sleep(0)
        filled.put(0, b"one")
        assert await reading == b"one"
        reading = asyncio.ensure_future(filled.next())
        await asyncio.sleep(0)
        filled.lose("gone")
        with pytest.raises(FlightLost, match="gone"):
            await reading

    asyncio.run(asyncio.wait_for(scenario(), 5))
