"""The FlightBroker over Redis: the process that leads a flight publishes its frames to each process that follows it.

Only on demand, so that a flight nobody follows costs nothing. Messages, between sessions, are one line and a body:
    join <lease> <follower> <1: chunks, 0: the whole answer alone>\\n<key>      to the leader, by join_flight.lua
    part <follower>                                                            to the leader: it follows no longer
    frame <follower> <number from 0>\\n<frame>                                  to the follower
    end <follower> <count of frames>                                           to the follower
    lost <follower>                                                            to the follower: no flight has that lease
    yield\\n<account>                                                           another worker needs our allowance of it
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from turnout.ports.sharing import FlightLost, FrameSource
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.frame_buffer import FrameBuffer
from turnout.stores.redis.session import RedisSession

# How long closing waits for frames that are still being sent.
CLOSE_S = 1.0


@dataclass(slots=True)
class _HeldLease:
    """A lease of ours. key, frames: while its flight is shared. waiting: followers that joined before that."""

    key: bytes | None = None
    frames: FrameSource | None = None
    waiting: list[tuple[str, bool]] = field(default_factory=list)


class RedisFlightBroker:
    """The FlightBroker of one event loop. A follower is known by a name that its own session gave out. on_yield: called
    with the account whose allowance another worker needs."""

    on_yield: Callable[[str], Coroutine[Any, Any, None]]

    def __init__(self, session: RedisSession) -> None:
        self._session = session
        self._held: dict[str, _HeldLease] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._buffers: dict[str, FrameBuffer] = {}
        self._background: set[asyncio.Task[None]] = set()
        session.on_message, session.on_loss = self.receive, self._lose_followed

    @property
    def shared(self) -> list[tuple[bytes, str]]:
        """The key and lease of each flight that others may follow."""
        return [(held.key, lease) for lease, held in self._held.items() if held.key is not None]

    @property
    def followed(self) -> list[FrameBuffer]:
        """The frames of each flight of another process that is followed."""
        return list(self._buffers.values())

    def expect(self, lease: str) -> None:
        """Announces a lease that is being asked for: from now on others may join it."""
        self._held[lease] = _HeldLease()

    def forget(self, lease: str) -> None:
        """The lease is not ours, or given back. Followers that joined in time receive the flight to its end."""
        held = self._held.pop(lease, None)
        for follower, _ in held.waiting if held is not None else ():
            self._start(self._session.publish(follower, b"lost " + follower.encode()))

    def share(self, key: bytes, lease: str, frames: FrameSource) -> None:
        held = self._held.get(lease)
        if held is None:
            return
        held.key, held.frames = key, frames
        waiting, held.waiting = held.waiting, []
        for follower, chunks in waiting:
            self._send_frames(follower, frames, chunks)

    def end(self, lease: str) -> None:
        """Makes those who join from now on wait until the lease is given back."""
        if held := self._held.get(lease):
            held.key = held.frames = None

    async def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        follower = self._session.new_name()
        buffer = self._buffers[follower] = FrameBuffer(key, lease)
        try:
            await self._join(follower, buffer, chunks)
            while (frame := await buffer.next()) is not None:
                yield frame
        finally:
            del self._buffers[follower]
            if not buffer.is_complete:
                self._start(self._session.publish(lease, b"part " + follower.encode()))

    async def _join(self, follower: str, buffer: FrameBuffer, chunks: bool) -> None:
        message = f"join {buffer.lease} {follower} {int(chunks)}\n".encode() + buffer.key
        try:
            await self._session.subscribe()
            if not await self._session.run("join_flight", buffer.key, buffer.lease, message):
                raise FlightLost("it ended before it could be joined")
        except StoreUnreachable as error:
            raise FlightLost(str(error)) from error

    def receive(self, message: bytes) -> None:
        """Acts on one message. One of another version, which is not understood, is ignored."""
        head, _, body = message.partition(b"\n")
        match head.decode().split(" "):
            case ["join", lease, follower, chunks]:
                self._admit_follower(lease, body, follower, chunks == "1")
            case ["part", follower]:
                if sender := self._senders.get(follower):
                    sender.cancel()
            case ["frame", follower, number]:
                if buffer := self._buffers.get(follower):
                    buffer.put(int(number), body)
            case ["end", follower, number]:
                if buffer := self._buffers.get(follower):
                    buffer.put(int(number), None)
            case ["yield"]:
                self._start(self.on_yield(body.decode()))
            case ["lost", follower]:
                if buffer := self._buffers.get(follower):
                    buffer.fail("no process makes this call")

    def _admit_follower(self, lease: str, key: bytes, follower: str, chunks: bool) -> None:
        held = self._held.get(lease)
        if held is None:
            # A lease that Redis granted too late for us to learn of it: it has no flight.
            self._start(self._disown(lease, key, follower))
        elif held.frames is None:
            held.waiting.append((follower, chunks))
        else:
            self._send_frames(follower, held.frames, chunks)

    async def _disown(self, lease: str, key: bytes, follower: str) -> None:
        await self._session.run("leave", lease, key, 0, 0, 1, "", "")
        await self._session.publish(follower, b"lost " + follower.encode())

    def _send_frames(self, follower: str, frames: FrameSource, chunks: bool) -> None:
        if follower in self._senders:
            return
        sending = self._publish_frames(follower, frames(chunks))
        sender = asyncio.create_task(sending, name="turnout.redis.send_frames")
        self._senders[follower] = sender
        sender.add_done_callback(lambda _: self._senders.pop(follower, None))

    async def _publish_frames(self, follower: str, frames: AsyncGenerator[bytes, None]) -> None:
        name, number = follower.encode(), 0
        with suppress(StoreUnreachable):
            async with aclosing(frames):
                async for frame in frames:
                    if not await self._session.publish(follower, b"frame %b %d\n%b" % (name, number, frame)):
                        return
                    number += 1
            await self._session.publish(follower, b"end %b %d\n" % (name, number))

    async def drop_dead_followers(self) -> None:
        """Stops sending to sessions that are no longer subscribed: their processes died."""
        if not self._senders:
            return
        connection = await self._session.connection()
        channels = {self._session.channel(follower).encode() for follower in self._senders}
        reply = await connection.execute("PUBSUB", "NUMSUB", *channels)
        dead = {channel for channel, count in zip(reply[::2], reply[1::2], strict=True) if not count}
        for follower, sender in list(self._senders.items()):
            if self._session.channel(follower).encode() in dead:
                sender.cancel()

    def _lose_followed(self) -> None:
        for buffer in self._buffers.values():
            buffer.fail("the connection to Redis broke")

    def _start(self, sending: Coroutine[Any, Any, object]) -> None:
        """Runs it in the background; where Redis is unreachable, nothing is sent."""

        async def run() -> None:
            with suppress(StoreUnreachable):
                await sending

        task = asyncio.create_task(run(), name="turnout.redis.background")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Sends the last followers their frames, within CLOSE_S, then stops."""
        if sending := {*self._senders.values(), *self._background}:
            await asyncio.wait(sending, timeout=CLOSE_S)
        if unfinished := {*self._senders.values(), *self._background}:
            for task in unfinished:
                task.cancel()
            await asyncio.wait(unfinished)
