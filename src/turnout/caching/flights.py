"""Flights: one call in progress and its listeners.

A flight belongs to nobody. An equal request that comes while it is under way listens to it; it is cancelled when
its last listener has left. A listener that joins a running stream gets it from the first chunk, out of the
flight's buffer. Back-pressure is the fastest listener's: the call is read `READ_AHEAD` chunks, or `BUFFER_BYTES` and
one chunk, beyond it at most; a listener that lags that far behind the fastest is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Generic, TypeVar, cast

from turnout.errors import InternalError, Overloaded, ServedError

Landed = TypeVar("Landed")
ProgressT = TypeVar("ProgressT")
ChunkBody = Mapping[str, Any]

# Chunks that are read before the fastest listener has taken them.
READ_AHEAD = 32
# Of published chunks kept for listeners that join; older ones are dropped.
BUFFER_BYTES = 1_048_576
# What a chunk costs in memory beside its text: a dict of dicts.
_CHUNK_BYTES = 600


class Flight(Generic[Landed, ProgressT]):
    """One call in progress. `run(flight)` makes it: it publishes chunks, if any, and lands the whole answer.

    Listeners have their answer at `land`; what the run does after it (settling, storing) keeps nobody waiting.
    progress: what listeners may know meanwhile. streamed: chunks are published. over: it has landed or failed.
    """

    def __init__(self, progress: ProgressT, *, streamed: bool) -> None:
        self.progress = progress
        self.streamed = streamed
        self.landed: Landed | None = None
        self.error: ServedError | None = None
        self.over = False
        # Left by all before its task began: a task that is cancelled then never runs, its clean-up included.
        self.abandoned = False
        self._started = False
        self.loop = asyncio.get_running_loop()
        self._chunks: list[ChunkBody | None] = []
        self._dropped = 0
        self._bytes = 0
        # How far the fastest listener had read when that was last looked at.
        self._known_read = 0
        self._listeners: set[Listener[Landed, ProgressT]] = set()
        self._changed = _Waiters()
        self._read = _Waiters()
        self._task: asyncio.Task[None] | None = None

    def start(self, run: Callable[[Flight[Landed, ProgressT]], Awaitable[None]]) -> None:
        """Runs the call in a task of its own, in the context of the request that starts it."""
        self._task = asyncio.create_task(self._run(run), name="turnout.flight")

    def land(self, answer: Landed) -> None:
        """Gives its listeners the whole answer."""
        self.landed = answer
        self.over = True
        self._changed.wake()

    async def _run(self, run: Callable[[Flight[Landed, ProgressT]], Awaitable[None]]) -> None:
        self._started = True
        try:
            await run(self)
        except ServedError as error:
            self.error = error
        except asyncio.CancelledError:
            # By its last listener, or by a loop that closes: only a late joiner can still see this error.
            self.error = Overloaded("the call was cancelled while it was shared", retry_after_s=1.0)
        except Exception as error:
            # A defect must not leave listeners waiting for ever; the loop's handler logs it.
            self.error = InternalError("internal error")
            self.loop.call_exception_handler(
                {"message": "turnout: a call failed in a way that it should not", "exception": error}
            )
        finally:
            self.over = True
            self._changed.wake()

    async def publish(
        self, chunk: ChunkBody, limit: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext
    ) -> None:
        """Adds a chunk; waits while the fastest listener is `READ_AHEAD` chunks or `BUFFER_BYTES` behind. limit: bounds
        that wait in time, by raising TimeoutError."""
        self._chunks.append(chunk)
        self._bytes += _weight(chunk)
        self._changed.wake()
        if self._is_ahead():
            async with limit():
                while self._is_ahead():
                    await self._read.wait()

    def _is_ahead(self) -> bool:
        """Whether the call is too far ahead of the fastest listener. What that one has read is dropped where the
        buffer is full; what nobody has read never is."""
        if self._bytes > BUFFER_BYTES or len(self._chunks) - self._known_read >= READ_AHEAD:
            self._known_read = self._fastest()
            while self._bytes > BUFFER_BYTES and self._dropped < self._known_read:
                oldest = self._chunks[self._dropped]
                assert oldest is not None
                self._bytes -= _weight(oldest)
                self._chunks[self._dropped] = None
                self._dropped += 1
        return self._bytes > BUFFER_BYTES or len(self._chunks) - self._known_read >= READ_AHEAD

    def _fastest(self) -> int:
        return max((listener.position for listener in self._listeners), default=0)

    @property
    def has_chunks(self) -> bool:
        """Whether any chunk was published."""
        return bool(self._chunks)

    @property
    def joinable(self) -> bool:
        """Whether a newcomer can still get all of it, here: same loop, nothing dropped from the buffer."""
        return (
            self._dropped == 0
            and self.loop is asyncio.get_running_loop()
            and not self.abandoned
            and not (self._task is not None and self._task.cancelling())
        )

    def listen(self) -> Listener[Landed, ProgressT]:
        """A new listener, at the first chunk."""
        listener = Listener(self)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener[Landed, ProgressT]) -> None:
        """Ends this listening. The last listener to leave cancels the call, unless it is over."""
        self._listeners.discard(listener)
        if not self._listeners and not self.over and self._task is not None:
            if self._started:
                self._task.cancel()
            else:
                self.abandoned = True
        self._read.wake()

    def chunks(self, position: int) -> list[ChunkBody]:
        """The chunks from this position on that are here. Raises Overloaded where the first was dropped."""
        if position < self._dropped:
            raise Overloaded("this reader fell too far behind the stream that it shares")
        return cast("list[ChunkBody]", self._chunks[position:])

    async def wait_for_change(self) -> None:
        """Returns when a chunk is published or the flight is over."""
        await self._changed.wait()

    def note_read(self) -> None:
        """A listener has read on: there may be room for another chunk."""
        self._read.wake()

    def when_ended(self, callback: Callable[[], object]) -> None:
        """Calls back once its task has ended and every attempt is on record."""
        if self._task is None or self._task.done():
            callback()
        else:
            self._task.add_done_callback(lambda _: callback())

    async def wait_ended(self) -> None:
        """Returns when its task has ended, settlement and all."""
        if self._task is not None:
            await asyncio.wait({self._task})


class Listener(Generic[Landed, ProgressT]):
    """One caller's place at a flight. To be left (`leave`) whatever happened; leaving twice changes nothing."""

    def __init__(self, flight: Flight[Landed, ProgressT]) -> None:
        self.flight = flight
        self.position = 0

    async def answer(self) -> Landed:
        """The whole answer, once the flight has landed. Raises the ServedError that it failed with."""
        flight = self.flight
        while not flight.over:
            # Reads along, so that a streamed flight is not held back by a listener who wants the whole.
            self.position = len(flight._chunks)
            flight.note_read()
            await flight.wait_for_change()
        if flight.error is not None:
            raise flight.error
        assert flight.landed is not None
        return flight.landed

    async def next_batch(self) -> list[ChunkBody]:
        """The following chunks, as many as are here, waiting for the first; empty after the last one. Raises the
        flight's ServedError, after its chunks."""
        flight = self.flight
        while True:
            chunks = flight.chunks(self.position)
            if chunks:
                self.position += len(chunks)
                flight.note_read()
                return chunks
            if flight.over:
                if flight.error is not None:
                    raise flight.error
                return []
            await flight.wait_for_change()

    def leave(self) -> None:
        """Ends the listening."""
        self.flight.leave(self)


class _Waiters:
    """Tasks that wait for the next `wake`; an earlier one does not count."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def wake(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


def _weight(chunk: ChunkBody) -> int:
    # Roughly its bytes in memory.
    weight = _CHUNK_BYTES
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        for value in delta.values():
            # Texts mostly; calls, sound and images too.
            weight += len(value) if isinstance(value, str) else len(str(value))
    return weight


class Flights(Generic[Landed, ProgressT]):
    """The flights of this process, by cache key where they may be joined."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight[Landed, ProgressT]] = {}
        self._all: set[Flight[Landed, ProgressT]] = set()

    def __len__(self) -> int:
        return len(self._all)

    def find(self, key: bytes) -> Flight[Landed, ProgressT] | None:
        """The flight that makes this call, if it can still be joined."""
        flight = self._by_key.get(key)
        return flight if flight is not None and flight.joinable else None

    def add(self, key: bytes | None, flight: Flight[Landed, ProgressT]) -> None:
        """Keeps the flight until it is removed. key: None where nobody may join it."""
        self._all.add(flight)
        if key is not None:
            self._by_key[key] = flight

    def remove(self, key: bytes | None, flight: Flight[Landed, ProgressT]) -> None:
        """Drops the flight; another one under the same key stays."""
        self._all.discard(flight)
        if key is not None and self._by_key.get(key) is flight:
            del self._by_key[key]

    async def drain(self) -> None:
        """Waits until every flight of this loop has ended."""
        loop = asyncio.get_running_loop()
        for flight in [flight for flight in self._all if flight.loop is loop]:
            await flight.wait_ended()
