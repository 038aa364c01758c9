"""Stands before every model: asks its circuit before a call, and tells it afterwards how the call went.

The rules are in `breaker.py`. pybreaker's `CircuitBreaker` carries each circuit's state and listeners (see
`pybreaker_adapter.py`). Where a CircuitStore is handed in, what happens to a circuit is posted there, its one probe is
claimed there, and `absorb` takes in what others posted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from turnout.attempt_errors import (
    AttemptError,
    Denied,
    Misconfigured,
    ProviderRateLimited,
    UnclearDenial,
    Unsupported,
)
from turnout.loop_task import BackgroundTasks
from turnout.ports.runtime import Clock
from turnout.ports.sharing import Circuit, CircuitStore
from turnout.upstream import breaker
from turnout.upstream.breaker import CircuitRefusal, Phase, PhaseChanged, Rules, State

if TYPE_CHECKING:
    import pybreaker

    from turnout.upstream.pybreaker_adapter import PybreakerCircuit

log = logging.getLogger("turnout.upstream")

# While another process probes, ask for the claim at most this often.
CLAIM_AGAIN_S = 1.0
# No circuit opens for them, so they are told here: once a run.
_REFUSES_ALL = "%s has refused %d requests in a row without saying why: check its key, its name and its address"

Shut = Callable[[str, float], None]


class Permit:
    """Leave to call once. Its holder reports once how the call went; later reports are ignored."""

    def __init__(self, guard: Guard, name: str, term: int, *, probe: bool) -> None:
        self._guard = guard
        self._name = name
        self._term = term
        self._reported = False
        self.probe = probe

    def report_first_chunk(self) -> None:
        """A stream has begun to answer. That is all a probe is to find out; how it ends is still to be reported."""
        if self.probe and not self._reported:
            self._guard.tell(self._name, self._term, "succeeded")
            self.probe = False
            self._term = self._guard.state(self._name).term

    def report_success(self) -> None:
        self._tell("succeeded")

    def report_failure(self, fault: AttemptError) -> bool:
        """Counts a failure, a pause, or nothing. Returns whether the circuit opened for a misconfiguration."""
        match fault:
            case ProviderRateLimited():
                return self._tell("throttled", fault.retry_after_s)
            case Unsupported():
                return self._tell("released")
            case UnclearDenial():
                return self._tell("unclear")
            case Denied():
                return self._tell("denied")
            case Misconfigured():
                return self._tell("misconfigured")
            case _:
                return self._tell("failed" if fault.counts else "released")

    def release(self) -> None:
        """Reports an end that says nothing about the provider."""
        self._tell("released")

    def _tell(self, event: Event, retry_after_s: float | None = None) -> bool:
        if self._reported:
            return False
        self._reported = True
        return self._guard.tell(self._name, self._term, event, retry_after_s)


Event = Literal["succeeded", "failed", "misconfigured", "denied", "unclear", "throttled", "released"]


class Guard:
    """The circuits of this process.

    changed(name, old, new): called at each change of phase. shut(name, pause_s): called when calls can no longer
    pass, be it open (0) or paused for so many seconds.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rules: Rules,
        circuit_store: CircuitStore | None = None,
        changed: PhaseChanged | None = None,
        shut: Shut | None = None,
    ) -> None:
        from turnout.upstream import pybreaker_adapter

        self._clock = clock
        self._rules = rules
        self._circuit_store = circuit_store
        self._changed = changed
        self._shut = shut
        self._new = pybreaker_adapter.PybreakerCircuit
        self._by_name: dict[str, PybreakerCircuit] = {}
        self._posting: Counter[str] = Counter()
        self._posted_at: dict[str, float] = {}
        self._posts = BackgroundTasks("turnout.circuit-store")

    def look(self, name: str) -> CircuitRefusal | None:
        """The refusal that a call would meet now. Changes nothing."""
        circuit = self._by_name.get(name)
        verdict = breaker.admit(circuit.snapshot, self._clock.monotonic()) if circuit is not None else "pass"
        return verdict if isinstance(verdict, CircuitRefusal) else None

    async def ask(self, name: str, lease_s: float) -> Permit | CircuitRefusal:
        """Leave to call, or the refusal. lease_s: longer than the call may take, should it be the probe."""
        state, now = self.state(name), self._clock.monotonic()
        verdict = breaker.admit(state, now)
        if isinstance(verdict, CircuitRefusal):
            return verdict
        if verdict == "pass":
            return Permit(self, name, state.term, probe=False)
        # Ours within this process from here on, so nobody else asks while the claim is on its way.
        state = self._move(name, breaker.probing(state, now, lease_s))
        if self._circuit_store is None or await self._claimed(self._circuit_store, name, lease_s, state.term):
            return Permit(self, name, state.term, probe=True)
        held = self.state(name)
        if held.term == state.term:
            self._move(name, breaker.probing(held, self._clock.monotonic(), CLAIM_AGAIN_S, elsewhere=True))
        return CircuitRefusal(reason=held.reason, retry_after_s=CLAIM_AGAIN_S)

    async def _claimed(self, circuit_store: CircuitStore, name: str, lease_s: float, term: int) -> bool:
        claiming = asyncio.ensure_future(circuit_store.claim(name, lease_s))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # The claim may still be granted, to nobody: then it is given back.
            self._posts.start(self._give_back(circuit_store, name, claiming))
            self._move(name, breaker.released(self.state(name), term))
            raise

    async def _give_back(self, circuit_store: CircuitStore, name: str, claiming: asyncio.Future[bool]) -> None:
        if await claiming:
            await circuit_store.release(name)

    def tell(self, name: str, term: int, event: Event, retry_after_s: float | None = None) -> bool:
        """How a call went that was admitted in this term. Returns whether the circuit opened for a misconfiguration."""
        state, now = self.state(name), self._clock.monotonic()
        match event:
            case "succeeded":
                after = breaker.succeeded(state, term)
            case "failed":
                after = breaker.failed(state, term, now, self._rules)
            case "misconfigured":
                after = breaker.misconfigured(state, term, now, self._rules)
            case "denied":
                after = breaker.denied(state, term, now, self._rules)
            case "unclear":
                after = breaker.unclear(state, term, now, self._rules)
                if after is not state and after.refusals == self._rules.failures:
                    log.warning(_REFUSES_ALL, name, after.refusals)
            case "throttled":
                after = breaker.throttled(state, term, now, retry_after_s, self._rules)
            case "released":
                after = breaker.released(state, term)
        if after is not state:
            self._move(name, after)
            ours = term == state.term and now < state.probe_until
            self._share(name, news=_news(state) != _news(after), release=ours and not after.probe_until)
        return after is not state and after.phase == "open" and after.misconfigured

    def state(self, name: str) -> State:
        circuit = self._by_name.get(name)
        return circuit.snapshot if circuit is not None else State()

    def circuit(self, name: str) -> pybreaker.CircuitBreaker:
        """The circuit itself: its listeners, and `open()`, `half_open()` and `close()` by hand."""
        return self._circuit(name).circuit

    def _circuit(self, name: str) -> PybreakerCircuit:
        if name not in self._by_name:
            self._by_name[name] = self._new(name, self._clock, self._rules, self._phase_changed)
        return self._by_name[name]

    def _move(self, name: str, after: State) -> State:
        circuit = self._circuit(name)
        before = circuit.snapshot
        circuit.move(after)
        now = self._clock.monotonic()
        pause_s = after.paused_until - now if after.paused_until > max(now, before.paused_until) else 0.0
        if pause_s > 0 and now >= before.paused_until:
            log.warning("%s asks to be left alone: paused for %.3g s", name, pause_s)
        if self._shut is not None and (pause_s > 0 or (before.free and not after.free)):
            self._shut(name, pause_s)
        return after

    def _phase_changed(self, name: str, old: Phase, new: Phase) -> None:
        state, now = self.state(name), self._clock.monotonic()
        if new == "open":
            # Of a misconfigured model, the attempt warns: it knows what to say.
            level = logging.INFO if state.misconfigured else logging.WARNING
            log.log(level, "the circuit of %s is open; first probe in %.3g s", name, max(0.0, state.open_until - now))
        elif new == "closed":
            log.warning("the circuit of %s is closed again", name)
        else:
            log.info("the circuit of %s is half-open: one probe is out", name)
        if self._changed is not None:
            self._changed(name, old, new)

    def absorb(self, circuits: Mapping[str, Circuit], asked_at: float) -> None:
        """Takes in what an Entry says. asked_at: when it was asked for, by the clock's monotonic; what was
        posted here meanwhile is newer."""
        for name, circuit in circuits.items():
            if not self._posting[name] and asked_at > self._posted_at.get(name, float("-inf")):
                state = self.state(name)
                after = breaker.absorbed(state, circuit, self._clock.monotonic())
                if after is not state:
                    self._move(name, after)

    def _share(self, name: str, *, news: bool, release: bool) -> None:
        if self._circuit_store is not None and (news or release):
            self._posting[name] += news
            self._posts.start(self._shared(self._circuit_store, name, news=news, release=release))

    async def _shared(self, circuit_store: CircuitStore, name: str, *, news: bool, release: bool) -> None:
        # The state is read here: of several changes in one turn of the loop, the last is posted, more than once.
        if news:
            await circuit_store.post(name, breaker.shared(self.state(name), self._clock.monotonic()))
            self._posting[name] -= 1
            self._posted_at[name] = self._clock.monotonic()
        if release:
            await circuit_store.release(name)

    async def drain(self) -> None:
        """Returns when everything is posted."""
        await self._posts.drain()


def _news(state: State) -> tuple[bool, float, float]:
    """What other processes would want to hear of."""
    return state.phase != "closed", state.open_until, state.paused_until


__all__ = ["CircuitRefusal", "Guard", "Permit"]
