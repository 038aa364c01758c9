"""What processes share beside the requests themselves: flights, circuit states and the share of expensive calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol


class FlightLost(Exception):
    """A flight of another process cannot be followed any further: its process is gone, or frames were lost."""


# Subscribes to a flight on behalf of another process: yields its frames from the first on; with chunks (True), or
# the whole answer alone (False). Closing the generator unsubscribes.
FrameSource = Callable[[bool], AsyncGenerator[bytes, None]]


class FlightBroker(Protocol):
    """Carries flights between processes, in frames that the pipeline defines."""

    def share(self, key: bytes, lease: str, frames: FrameSource) -> None:
        """Keeps our lease alive until `end`, and sends the flight's frames to each process that follows it."""
        ...

    def end(self, lease: str) -> None:
        """Lets no further process follow. Those that do receive the flight to its end."""
        ...

    def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        """Yields the frames of another process's flight; none where it cannot be followed from its first frame on.
        Raises FlightLost."""
        ...


class LocalFlightBroker:
    """The FlightBroker of a process that shares with no other."""

    def share(self, key: bytes, lease: str, frames: FrameSource) -> None:
        return None

    def end(self, lease: str) -> None:
        return None

    async def follow(self, key: bytes, lease: str, *, chunks: bool) -> AsyncGenerator[bytes, None]:
        return
        yield b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit's state as processes share it; by default closed and not paused.

    open: from its failures until a probe has succeeded, also while it waits for a probe.
    open_for_s: until it may be probed; 0 where that is now, or where it is not open.
    paused_for_s: what is left of a provider's own `Retry-After`, open or not.
    """

    open: bool = False
    open_for_s: float = 0.0
    paused_for_s: float = 0.0


class Claims(Protocol):
    """Where one of all processes claims what only one may do: a circuit's probe, an alert. Never raises: where the
    store is unreachable every claim is granted."""

    async def claim(self, name: str, lease_s: float) -> bool:
        """Returns whether this process is the one, until released or until the lease ends, `lease_s` seconds on."""
        ...

    async def release(self, name: str) -> None:
        """Gives the claim back. Called only by the process that holds it, before its lease ends."""
        ...


class CircuitStore(Claims, Protocol):
    """Where processes share rare changes of circuits: opened, closed or paused, and who probes.

    What is posted comes back on every Entry whose Ask names the circuit; its times run on by themselves. Beside a
    claim that an unreachable store grants, each process holds a lease of its own.
    """

    async def post(self, name: str, circuit: Circuit) -> None:
        """Replaces the shared state of this circuit. A closed one is posted too, so that processes which still
        hold it for open learn of it; of a circuit that an Entry does not name, each keeps its own state."""
        ...


# How many of the newest scores a share is computed from.
SHARED_SCORES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareReport:
    """What one process adds to a share.

    scores: those it decided on, the newest last; of more than SHARED_SCORES the newest are kept. debt: how many of
    its decisions were expensive beyond the share, or (negative) short of it.
    """

    scores: tuple[float, ...] = ()
    debt: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareState:
    """A share after an addition.

    debt: of all processes. count: scores ever added. scores: of those added after `since` and before this addition
    the newest SHARED_SCORES, the newest last. processes: how many use the store.
    """

    debt: float
    count: int
    scores: tuple[float, ...] = ()
    processes: int = 1


class ShareStore(Protocol):
    """Keeps one share of expensive calls for all processes of an app. Never called on a request's path: its debt
    comes back on the Entry."""

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        """Adds a report, and returns what others added. since: the last returned count, 0 at first; one that the
        store has not reached (it lost its data) counts as 0. None where the store is unreachable; never raises."""
        ...
