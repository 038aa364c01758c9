"""One circuit as pybreaker's `CircuitBreaker`, over a storage of ours that holds the last snapshot.

pybreaker's own counting is not used: it takes a cancellation for a failure and an excluded error for a
success, and lets everybody through when half-open. Its breaker is moved by `open()`, `half_open()` and
`close()` alone, by the guard or by hand, and tells its listeners.

Imported by the guard's constructor: pybreaker brings Redis and Tornado along where they are installed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pybreaker

from turnout.ports.runtime import Clock
from turnout.upstream.breaker import Phase, PhaseChanged, Rules, State, open_circuit


class _Snapshot(pybreaker.CircuitBreakerStorage):
    """The state as the guard's rules left it; a phase set by hand becomes a state of the rules."""

    def __init__(self, name: str, clock: Clock, rules: Rules) -> None:
        super().__init__(name)
        self.state_now = State()
        self._clock = clock
        self._rules = rules
        self._opened_at: datetime | None = None

    @property
    def state(self) -> str:
        return self.state_now.phase

    @state.setter
    def state(self, phase: str) -> None:
        if phase != self.state_now.phase:
            self.state_now = self._by_hand(cast(Phase, phase))

    def _by_hand(self, phase: Phase) -> State:
        now, term = self._clock.monotonic(), self.state_now.term + 1
        if phase == "open":
            return open_circuit(self.state_now, now + self._rules.reset_s)
        if phase == "half-open":
            return State(phase="half-open", term=term)
        return State(term=term)

    @property
    def counter(self) -> int:
        return self.state_now.failures

    @property
    def success_counter(self) -> int:
        return 0

    @property
    def opened_at(self) -> datetime | None:
        return self._opened_at

    @opened_at.setter
    def opened_at(self, when: datetime) -> None:
        self._opened_at = datetime.fromtimestamp(self._clock.time(), UTC)


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, name: str, changed: PhaseChanged) -> None:
        self._name = name
        self._changed = changed

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        old = old_state.name if old_state is not None else "closed"
        self._changed(self._name, cast(Phase, old), cast(Phase, new_state.name))


class PybreakerCircuit:
    """One circuit: its snapshot by our rules, and pybreaker's breaker over it."""

    def __init__(self, name: str, clock: Clock, rules: Rules, changed: PhaseChanged) -> None:
        self._storage = _Snapshot(name, clock, rules)
        self.circuit = pybreaker.CircuitBreaker(
            fail_max=rules.failures,
            reset_timeout=rules.reset_s,
            state_storage=self._storage,
            listeners=[_Listener(name, changed)],
            name=name,
        )

    @property
    def snapshot(self) -> State:
        return self._storage.state_now

    def move(self, after: State) -> None:
        """The next snapshot; where its phase is another, pybreaker's listeners are notified."""
        before = self._storage.state_now.phase
        self._storage.state_now = after
        if after.phase != before:
            verb = {"open": self.circuit.open, "half-open": self.circuit.half_open, "closed": self.circuit.close}
            verb[after.phase]()
