"""Flights: one call in progress and its listeners.

A flight belongs to nobody. Whoever asks for the same thing while it is in the air listens to it; it is
cancelled when its last listener has left. A listener that joins a running stream gets it from the first
chunk, out of the flight's buffer. Back-pressure is the fastest listener's: the call is read as far as
`AHEAD` chunks beyond it and no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from turnout.errors import InternalError, Overloaded, ServedError

Landed = TypeVar("Landed")
Head = TypeVar("Head")
Chunk = Mapping[str, Any]

AHEAD = 32
BUFFER_BYTES = 1_048_576
# What a chunk costs in memory beside its text: a dict of dicts.
_CHUNK_BYTES = 600


class Flight(Generic[Landed, Head]):
    """One call in progress. `run(flight)` makes it: it publishes chunks, if any, and lands the whole.

    Listeners have their answer at `land`; what the run does after it (settling, storing) keeps nobody
    waiting. `head` is what the run tells of itself while it is in the air.
    """

    def __init__(self, head: Head, *, streamed: bool) -> None:
        self.head = head
        self.streamed = streamed
        self.landed: Landed | None = None
        self.error: ServedError | None = None
        self.over = False
        # Left by all before it began: a task that is cancelled then never runs, its clean-up included.
        self.abandoned = False
        self._begun = False
        self.loop = asyncio.get_running_loop()
        self._chunks: list[Chunk | None] = []
        self._dropped = 0
        self._bytes = 0
        self._listeners: set[Listener[Landed, Head]] = set()
        self._news = _Bell()
        self._room = _Bell()
        self._task: asyncio.Task[None] | None = None

    def start(self, run: Callable[[Flight[Landed, Head]], Awaitable[None]]) -> None:
        """Begins the call, in a task of its own with the context of whoever starts it."""
        self._task = asyncio.create_task(self._fly(run), name="turnout.flight")

    def land(self, landed: Landed) -> None:
        """The whole answer is here."""
        self.landed = landed
        self.over = True
        self._news.ring()

    async def _fly(self, run: Callable[[Flight[Landed, Head]], Awaitable[None]]) -> None:
        self._begun = True
        try:
            await run(self)
        except ServedError as error:
            self.error = error
        except asyncio.CancelledError:
            # By its last listener, or by a loop that closes: nobody is left to be told but late joiners.
            self.error = Overloaded("the call was cancelled while it was shared", retry_after_s=1.0)
        except Exception as error:
            # A defect must not leave listeners waiting for ever; they are told, and the loop's handler logs.
            self.error = InternalError("internal error")
            self.loop.call_exception_handler(
                {"message": "turnout: a call failed in a way that it should not", "exception": error}
            )
        finally:
            self.over = True
            self._news.ring()

    async def publish(self, chunk: Chunk) -> None:
        """Adds a chunk; waits while the fastest listener is `AHEAD` chunks behind."""
        self._chunks.append(chunk)
        self._bytes += _weight(chunk)
        while self._bytes > BUFFER_BYTES:
            oldest = self._chunks[self._dropped]
            assert oldest is not None
            self._bytes -= _weight(oldest)
            self._chunks[self._dropped] = None
            self._dropped += 1
        self._news.ring()
        while len(self._chunks) - self._fastest() >= AHEAD:
            await self._room.wait()

    def _fastest(self) -> int:
        return max((listener.position for listener in self._listeners), default=0)

    @property
    def begun(self) -> bool:
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

    def listen(self) -> Listener[Landed, Head]:
        listener = Listener(self)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener[Landed, Head]) -> None:
        """The listener has what it wants, or wants no more. The last one to leave ends the call."""
        self._listeners.discard(listener)
        if not self._listeners and not self.over and self._task is not None:
            if self._begun:
                self._task.cancel()
            else:
                self.abandoned = True
        self._room.ring()

    def chunk(self, position: int) -> Chunk | None:
        """The chunk at this position; None while there is none. Raises Overloaded where it was dropped."""
        if position < self._dropped:
            raise Overloaded("this reader fell too far behind the stream that it shares")
        return self._chunks[position] if position < len(self._chunks) else None

    async def news(self) -> None:
        await self._news.wait()

    def moved(self) -> None:
        self._room.ring()

    def when_ended(self, then: Callable[[], object]) -> None:
        """Calls `then` once its task has ended and every attempt is on record."""
        if self._task is None or self._task.done():
            then()
        else:
            self._task.add_done_callback(lambda _: then())

    async def ended(self) -> None:
        """Returns when its task has ended, settlement and all."""
        if self._task is not None:
            await asyncio.wait({self._task})


class Listener(Generic[Landed, Head]):
    """One caller's place at a flight. To be left (`leave`) exactly once, whatever happened."""

    def __init__(self, flight: Flight[Landed, Head]) -> None:
        self.flight = flight
        self.position = 0

    async def answer(self) -> Landed:
        """What landed, once it has. Raises what the flight failed with."""
        flight = self.flight
        while not flight.over:
            # Reads along, so that a streamed flight is not held back by a listener who wants the whole.
            self.position = len(flight._chunks)
            flight.moved()
            await flight.news()
        if flight.error is not None:
            raise flight.error
        assert flight.landed is not None
        return flight.landed

    @property
    def ready(self) -> bool:
        """Whether `next` has a chunk at hand."""
        return self.position < len(self.flight._chunks)

    async def next(self) -> Chunk | None:
        """The next chunk; None at the good end. Raises what the flight failed with, after its chunks."""
        flight = self.flight
        while True:
            chunk = flight.chunk(self.position)
            if chunk is not None:
                self.position += 1
                flight.moved()
                return chunk
            if flight.over:
                if flight.error is not None:
                    raise flight.error
                return None
            await flight.news()

    def leave(self) -> None:
        self.flight.leave(self)


class _Bell:
    """Wakes whoever waits now. Nobody is woken by a ring before they came."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


def _weight(chunk: Chunk) -> int:
    weight = _CHUNK_BYTES
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        weight += len(delta.get("content") or "") + len(delta.get("reasoning_content") or "")
        for call in delta.get("tool_calls") or ():
            weight += len((call.get("function") or {}).get("arguments") or "")
    return weight


class Flights(Generic[Landed, Head]):
    """The flights of this process, by cache key."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight[Landed, Head]] = {}
        self._all: set[Flight[Landed, Head]] = set()

    def __len__(self) -> int:
        return len(self._all)

    def find(self, key: bytes) -> Flight[Landed, Head] | None:
        """The flight that makes this call, if it can still be joined."""
        flight = self._by_key.get(key)
        return flight if flight is not None and flight.joinable else None

    def add(self, key: bytes | None, flight: Flight[Landed, Head]) -> None:
        self._all.add(flight)
        if key is not None:
            self._by_key[key] = flight

    def remove(self, key: bytes | None, flight: Flight[Landed, Head]) -> None:
        self._all.discard(flight)
        if key is not None and self._by_key.get(key) is flight:
            del self._by_key[key]

    async def end(self) -> None:
        """Waits until every flight of this loop has ended."""
        here = asyncio.get_running_loop()
        for flight in [flight for flight in self._all if flight.loop is here]:
            await flight.ended()
