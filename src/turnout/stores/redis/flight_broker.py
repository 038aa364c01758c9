"""Flights shared between processes, by letters: on demand only, so that a flight nobody follows costs nothing.

A process that follows sends `join` to the one that holds the lease; that one listens to its own flight on the
follower's behalf and sends on what it hears, frame by frame. `part` ends it: a follower that leaves is a
listener that leaves. A beat keeps what is held alive and finds out what is followed in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from turnout.ports.sharing import FlightLost, FrameSource
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.frame_buffer import FrameBuffer

if TYPE_CHECKING:
    from turnout.stores.redis.client import LoopClient
    from turnout.stores.redis.connection import StoreConnection

# How long a flight is held without a beat of its process: so soon is it noticed that one was killed.
HOLD_S = 3.0
BEAT_S = 1.0
# Between two beats of a process that neither holds nor follows anything: it is only counted.
IDLE_BEATS = 10
SEEN_S = 60.0


class FlightStation:
    """One loop's flights as other processes know them."""

    def __init__(self, seat: LoopClient) -> None:
        self._seat = seat
        self.workers = 1
        # Leases that we were given and have not given back; None until the flight is shared.
        self._held: dict[str, _Held] = {}
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._inboxes: dict[str, FrameBuffer] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._beat: asyncio.Task[None] | None = None

    def expect(self, lease: str) -> None:
        """The lease is being asked for: from now on others may join it."""
        self._held[lease] = _Held()

    def share(self, key: bytes, lease: str, tell: FrameSource) -> None:
        held = self._held.get(lease)
        if held is None:
            return
        held.key, held.tell = key, tell
        early, held.early = held.early, []
        for follower, chunks in early:
            self._pump(follower, tell, chunks)

    def end(self, lease: str) -> None:
        """Whoever joins from now on waits until the lease is given back, and looks again."""
        if held := self._held.get(lease):
            held.key = held.tell = None

    def forget(self, lease: str) -> None:
        """The lease is not ours, or given back. Who joined in time is told to the end."""
        held = self._held.pop(lease, None)
        for follower, _ in held.early if held is not None else ():
            self._errand(self._send(follower, b"lost " + follower.encode()))

    def _joined(self, lease: str, key: bytes, follower: str, chunks: bool) -> None:
        held = self._held.get(lease)
        if held is None:
            # A lease that came too late for us to know of it: nobody flies under it.
            self._errand(self._disown(lease, key, follower))
        elif held.tell is None:
            held.early.append((follower, chunks))
        else:
            self._pump(follower, held.tell, chunks)

    async def _disown(self, lease: str, key: bytes, follower: str) -> None:
        await self._seat.run("leave", lease, key, 0, 0, 1, "", "")
        await self._send(follower, b"lost " + follower.encode())

    def _pump(self, follower: str, tell: FrameSource, chunks: bool) -> None:
        if follower in self._pumps:
            return
        pump = asyncio.create_task(self._tell(follower, tell(chunks)), name="turnout.pump")
        self._pumps[follower] = pump
        pump.add_done_callback(lambda _: self._pumps.pop(follower, None))

    async def _tell(self, follower: str, frames: AsyncGenerator[bytes, None]) -> None:
        name = follower.encode()
        number = 0
        with suppress(StoreUnreachable):
            async with aclosing(frames):
                async for frame in frames:
                    if not await self._send(follower, b"frame %b %d\n%b" % (name, number, frame)):
                        return
                    number += 1
            await self._send(follower, b"end %b %d\n" % (name, number))

    async def _send(self, name: str, letter: bytes) -> bool:
        """Whether anybody reads letters there."""
        line = await self._seat.line()
        return bool(await line.ask("PUBLISH", self._seat.channel(name), letter))

    async def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        follower = self._seat.new_name()
        inbox = self._inboxes[follower] = FrameBuffer(key, lease)
        try:
            await self._join(follower, inbox, chunks)
            while (frame := await inbox.next()) is not None:
                yield frame
        finally:
            del self._inboxes[follower]
            if not inbox.over:
                self._errand(self._part(lease, follower))

    async def _join(self, follower: str, inbox: FrameBuffer, chunks: bool) -> None:
        letter = f"join {inbox.lease} {follower} {int(chunks)}\n".encode() + inbox.key
        try:
            await self._seat.listen()
            if not await self._seat.run("join", inbox.key, inbox.lease, letter):
                raise FlightLost("it ended before it could be joined")
        except StoreUnreachable as error:
            raise FlightLost(str(error)) from error

    async def _part(self, lease: str, follower: str) -> None:
        await self._send(lease, b"part " + follower.encode())

    def read(self, letter: bytes) -> None:
        """One letter. What is not understood is of another version, and left alone."""
        head, _, rest = letter.partition(b"\n")
        match head.decode().split(" "):
            case ["join", lease, follower, chunks]:
                self._joined(lease, rest, follower, chunks == "1")
            case ["part", follower]:
                if pump := self._pumps.get(follower):
                    pump.cancel()
            case ["frame", follower, number]:
                self._put(follower, int(number), rest)
            case ["end", follower, number]:
                self._put(follower, int(number), None)
            case ["lost", follower]:
                if inbox := self._inboxes.get(follower):
                    inbox.lose("nobody flies it")

    def _put(self, follower: str, number: int, frame: bytes | None) -> None:
        if inbox := self._inboxes.get(follower):
            inbox.put(number, frame)

    def cut(self) -> None:
        """Letters were lost."""
        for inbox in self._inboxes.values():
            inbox.lose("the connection to Redis broke")

    def begin(self) -> None:
        """From now on this process is counted, and keeps alive what it holds."""
        if self._beat is None or self._beat.done():
            self._beat = asyncio.create_task(self._beats(), name="turnout.beat")

    async def _beats(self) -> None:
        number = 1
        while True:
            await asyncio.sleep(BEAT_S)
            if self._inboxes or number % IDLE_BEATS == 0 or any(held.key for held in self._held.values()):
                with suppress(StoreUnreachable):
                    await self._seat.listen()
                    await self.beat(await self._seat.line())
                    await self._drop_deaf()
            number += 1

    async def beat(self, line: StoreConnection) -> None:
        """One sign of life; tells a Redis that came back empty what is known. Raises LineDown."""
        held = [(held.key, lease) for lease, held in self._held.items() if held.key is not None]
        inboxes = list(self._inboxes.values())
        name, self.workers, *lost = await self._seat.run_on(
            line,
            "beat",
            self._seat.name,
            round(HOLD_S * 1000),
            round(SEEN_S * 1000),
            len(held),
            *(part for pair in held for part in pair),
            *(part for inbox in inboxes for part in (inbox.key, inbox.lease)),
        )
        for index in lost:
            inboxes[index - 1].lose("its holder is gone")
        await self._seat.met(line, name)

    async def _drop_deaf(self) -> None:
        """Ends the listening of processes that died."""
        if not self._pumps:
            return
        line = await self._seat.line()
        channels = {self._seat.channel(follower).encode(): follower for follower in self._pumps}
        told = await line.ask("PUBSUB", "NUMSUB", *channels)
        deaf = {channel for channel, count in zip(told[::2], told[1::2], strict=True) if not count}
        for follower, pump in list(self._pumps.items()):
            if self._seat.channel(follower).encode() in deaf:
                pump.cancel()

    def _errand(self, errand: Coroutine[Any, Any, object]) -> None:
        async def run() -> None:
            with suppress(StoreUnreachable):
                await errand

        task = asyncio.create_task(run(), name="turnout.errand")
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def close(self) -> None:
        """Tells the last followers to the end, then stops."""
        if self._beat is not None:
            self._beat.cancel()
        told = {*self._pumps.values(), *self._errands}
        if told:
            await asyncio.wait(told, timeout=BEAT_S)
        left = [task for task in (*self._pumps.values(), *self._errands, self._beat) if task is not None]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


class _Held:
    """A lease of ours. `early`: who joined it before it was shared."""

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.tell: FrameSource | None = None
        self.early: list[tuple[str, bool]] = []
