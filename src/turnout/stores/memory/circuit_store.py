"""The CircuitStore of one process: for several Turnouts in it, and for tests."""

from __future__ import annotations

from collections.abc import Iterable

from turnout.ports.runtime import Clock
from turnout.ports.sharing import Circuit

# Claims kept: those of alerts are never released. Of more the oldest is forgotten.
MAX_CLAIMS = 10_000


class MemoryCircuitStore:
    """Keeps the posted states, and since when."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._posted: dict[str, tuple[Circuit, float]] = {}
        self._probes: dict[str, float] = {}

    async def post(self, name: str, circuit: Circuit) -> None:
        self._posted[name] = (circuit, self._clock.monotonic())

    async def claim(self, name: str, lease_s: float) -> bool:
        now = self._clock.monotonic()
        if self._probes.get(name, now) > now:
            return False
        # The newest stands last.
        self._probes.pop(name, None)
        self._probes[name] = now + lease_s
        if len(self._probes) > MAX_CLAIMS:
            del self._probes[next(iter(self._probes))]
        return True

    async def release(self, name: str) -> None:
        self._probes.pop(name, None)

    def states(self, names: Iterable[str]) -> dict[str, Circuit]:
        """Returns what an Entry would carry of these circuits."""
        return {name: self._now(*self._posted[name]) for name in names if name in self._posted}

    def _now(self, circuit: Circuit, posted_at: float) -> Circuit:
        passed = self._clock.monotonic() - posted_at
        return Circuit(
            open=circuit.open,
            open_for_s=max(0.0, circuit.open_for_s - passed),
            paused_for_s=max(0.0, circuit.paused_for_s - passed),
        )
