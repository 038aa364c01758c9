"""The rules of a circuit breaker: a state, an event and the time in, the next state out. Pure.

closed -> (`failures` in a row) -> open -> (`reset_s` later) -> half-open, one probe out -> closed, or open again

Beside it stands the pause: a provider that answers 429 is not broken, it asks to be left alone for a while.
Its end too is felt out by one probe, not by everybody at once. What is neither success nor failure (a
cancellation, the caller's own fault) only gives a probe back. A model whose key or name is wrong answers nobody:
one such refusal opens, as `failures` others do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from turnout.ports.sharing import Circuit

Phase = Literal["closed", "open", "half-open"]
# Called with a model, and the phases that its circuit leaves and enters.
PhaseChanged = Callable[[str, Phase, Phase], None]
BlockReason = Literal["open", "misconfigured", "paused"]

# No provider's word keeps a model out for longer than this; a daily quota is then felt out hourly.
LONGEST_PAUSE_S = 3600.0
# When to come back while somebody else's probe is out: about how long an answer takes.
PROBING_S = 1.0
# Two processes' idea of the same moment differs by a round trip; what is nearer than this is no news.
SAME_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """failures: in a row, until it opens. reset_s: from opening to the first probe, never escalated.
    pause_s: of a provider that keeps answering 429 without saying for how long."""

    failures: int
    reset_s: float
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One circuit. Times are values of one monotonic clock; 0: not.

    failures, throttled, refusals: failures, 429s without a time, and refusals that say nothing, in a row. proven: it
    has answered well before. misconfigured: it is not closed because it refused our key, its name or its address.
    probe_until: the lease of the probe that is out; elsewhere: it is another process's. term: counts the changes; a
    call admitted in an earlier term says nothing about this one.
    """

    phase: Phase = "closed"
    failures: int = 0
    throttled: int = 0
    refusals: int = 0
    proven: bool = False
    misconfigured: bool = False
    open_until: float = 0.0
    paused_until: float = 0.0
    probe_until: float = 0.0
    elsewhere: bool = False
    term: int = 0

    @property
    def free(self) -> bool:
        """Closed, with nothing to wait for and nothing to feel out."""
        return self.phase == "closed" and not self.paused_until

    @property
    def reason(self) -> BlockReason:
        """Why a call is refused, where one is."""
        if self.phase == "closed":
            return "paused"
        return "misconfigured" if self.misconfigured else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRefusal:
    """Not now. `retry_after_s`: when the next probe may be let through."""

    reason: BlockReason
    retry_after_s: float


CircuitVerdict = Literal["pass", "probe"] | CircuitRefusal


def admit(state: State, now: float) -> CircuitVerdict:
    """Whether a call may pass, must first be made the probe, or is refused."""
    if state.free:
        return "pass"
    ready = max(state.paused_until, state.open_until if state.phase == "open" else 0.0)
    if now < ready:
        return CircuitRefusal(reason="paused" if now < state.paused_until else state.reason, retry_after_s=ready - now)
    if now < state.probe_until:
        return CircuitRefusal(reason=state.reason, retry_after_s=min(PROBING_S, state.probe_until - now))
    return "probe"


def probing(state: State, now: float, lease_s: float, *, elsewhere: bool = False) -> State:
    """The probe is out, for as long as its lease; whatever was out before tells nothing any more."""
    phase: Phase = "closed" if state.phase == "closed" else "half-open"
    return replace(state, phase=phase, probe_until=now + lease_s, elsewhere=elsewhere, term=state.term + 1)


def succeeded(state: State, term: int) -> State:
    """A call admitted in this term answered well. The probe's closes the circuit and ends the pause."""
    if term != state.term:
        return state
    if state.free:
        known = state.proven and not (state.failures or state.throttled or state.refusals)
        return state if known else replace(state, failures=0, throttled=0, refusals=0, proven=True)
    # A call that was let through before the pause began says nothing against it.
    return State(proven=True, term=state.term + 1) if state.probe_until else state


def failed(state: State, term: int, now: float, rules: Rules) -> State:
    """A call admitted in this term failed in a way that counts."""
    if term != state.term:
        return state
    if state.phase == "closed" and state.failures + 1 < rules.failures:
        return replace(state, failures=state.failures + 1, probe_until=0.0)
    return open_circuit(state, now + rules.reset_s)


def misconfigured(state: State, term: int, now: float, rules: Rules) -> State:
    """A call admitted in this term was refused for what is ours: the next one would be refused as well."""
    return replace(open_circuit(state, now + rules.reset_s), misconfigured=True) if term == state.term else state


def denied(state: State, term: int, now: float, rules: Rules) -> State:
    """A call admitted in this term was refused for what its words say is ours. Of a model that has answered well, it
    has to come in a row, as a failure."""
    if not state.proven:
        return misconfigured(state, term, now, rules)
    after = failed(state, term, now, rules)
    return after if after.phase == state.phase else replace(after, misconfigured=True)


def unclear(state: State, term: int, now: float, rules: Rules) -> State:
    """A call admitted in this term was refused in no words that tell whose fault it is. Of a model that has answered
    well it says nothing: what a caller sends may be the cause, as often in a row as he likes."""
    if not state.proven or term != state.term:
        return misconfigured(state, term, now, rules)
    return replace(state, refusals=state.refusals + 1, probe_until=0.0)


def open_circuit(state: State, until: float) -> State:
    """Open, to be probed from then on. A pause stands."""
    return State(
        phase="open", open_until=until, paused_until=state.paused_until, proven=state.proven, term=state.term + 1
    )


def throttled(state: State, term: int, now: float, retry_after_s: float | None, rules: Rules) -> State:
    """A 429: neither success nor failure. Pauses for as long as it says, also when it comes late.

    One that says nothing (or 0) pauses only after as many in a row as would open the circuit, or when it
    answered a probe; then for `pause_s`.
    """
    probe = term == state.term and bool(state.probe_until)
    asked_s = min(retry_after_s or 0.0, LONGEST_PAUSE_S)
    if not asked_s and not probe and (term != state.term or state.throttled + 1 < rules.failures):
        return replace(state, throttled=state.throttled + 1) if term == state.term else state
    until = max(state.paused_until, now + (asked_s or rules.pause_s))
    return replace(
        state,
        paused_until=until,
        throttled=0,
        probe_until=0.0 if probe else state.probe_until,
        term=state.term + 1 if probe or not state.probe_until else state.term,
    )


def released(state: State, term: int) -> State:
    """A call admitted in this term ended in a way that says nothing: a probe is given back, the next is free."""
    if term != state.term or not state.probe_until:
        return state
    return replace(state, probe_until=0.0)


def absorbed(state: State, circuit: Circuit, now: float) -> State:
    """What another process found. A probe of our own that is out decides for itself."""
    if now < state.probe_until and not state.elsewhere:
        return state
    pause = now + circuit.paused_for_s if circuit.paused_for_s > 0 else 0.0
    if pause > state.paused_until + SAME_S:
        state = replace(state, paused_until=pause, term=state.term + 1)
    until = now + circuit.open_for_s
    if circuit.open and (state.phase == "closed" or until > max(state.open_until, now) + SAME_S):
        return open_circuit(state, until)
    if not circuit.open and state.phase != "closed":
        return State(proven=True, paused_until=pause, term=state.term + 1)
    return state


def shared(state: State, now: float) -> Circuit:
    """The state as other processes see it."""
    is_open = state.phase != "closed"
    return Circuit(
        open=is_open,
        open_for_s=max(0.0, state.open_until - now) if is_open else 0.0,
        paused_for_s=max(0.0, state.paused_until - now),
    )
