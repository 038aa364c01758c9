"""The breaker's rules: pure, so that time is a number and nothing sleeps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from turnout.ports.sharing import Circuit
from turnout.upstream import breaker
from turnout.upstream.breaker import LONGEST_PAUSE_S, CircuitRefusal, Rules, State

RULES = Rules(failures=3, reset_s=30.0, pause_s=5.0)
SECONDS = st.floats(0, 100)


def broken(now: float = 0.0) -> State:
    state = State()
    for _ in range(RULES.failures):
        state = breaker.failed(state, state.term, now, RULES)
    return state


def test_it_opens_at_the_last_failure_in_a_row_and_not_before() -> None:
    """A success in between starts the count anew."""
    state = State()
    for _ in range(RULES.failures - 1):
        state = breaker.failed(state, state.term, 0.0, RULES)
    assert breaker.admit(state, 0.0) == "pass"
    state = breaker.succeeded(state, state.term)
    assert state.failures == 0
    assert broken(10.0).phase == "open"
    assert broken(10.0).open_until == 40.0


def test_after_its_time_one_probe_decides() -> None:
    """Refused until then; then one is the probe and the rest are refused; its word closes or opens again."""
    state = broken()
    refused = breaker.admit(state, 29.0)
    assert isinstance(refused, CircuitRefusal)
    assert refused.retry_after_s == 1.0
    assert breaker.admit(state, 30.0) == "probe"
    out = breaker.probing(state, 30.0, lease_s=10.0)
    assert out.phase == "half-open"
    assert isinstance(breaker.admit(out, 30.0), CircuitRefusal)
    assert breaker.succeeded(out, out.term).free
    again = breaker.failed(out, out.term, 31.0, RULES)
    assert (again.phase, again.open_until) == ("open", 61.0)


def test_what_was_admitted_in_an_earlier_term_tells_nothing() -> None:
    """A late failure of a call from before neither opens nor prolongs; a late success closes nothing."""
    old = State().term
    state = broken()
    assert breaker.failed(state, old, 20.0, RULES) == state
    assert breaker.succeeded(state, old) == state
    out = breaker.probing(state, 30.0, 10.0)
    assert breaker.succeeded(out, old) == out
    assert breaker.released(out, old) == out


def test_a_probe_given_back_leaves_the_next_one_free_at_once() -> None:
    """And one whose lease has ended as well; what it says later is not heard."""
    out = breaker.probing(broken(), 30.0, 10.0)
    assert breaker.admit(breaker.released(out, out.term), 30.0) == "probe"
    assert breaker.admit(out, 40.0) == "probe"
    second = breaker.probing(out, 40.0, 10.0)
    assert breaker.succeeded(second, out.term) == second


def test_a_pause_is_as_long_as_the_provider_says() -> None:
    """A 429 is no failure; its end is felt out by one probe; the longest of several holds."""
    state = State()
    state = breaker.throttled(state, state.term, 0.0, 7.0, RULES)
    assert (state.phase, state.failures) == ("closed", 0)
    refused = breaker.admit(state, 1.0)
    assert refused == CircuitRefusal(reason="paused", retry_after_s=6.0)
    longer = breaker.throttled(state, -1, 1.0, 9.0, RULES)
    assert longer.paused_until == 10.0
    assert breaker.admit(longer, 10.0) == "probe"
    out = breaker.probing(longer, 10.0, 5.0)
    assert out.phase == "closed"
    assert isinstance(breaker.admit(out, 10.0), CircuitRefusal)
    assert breaker.succeeded(out, out.term).free


def test_429s_that_say_nothing_pause_only_when_they_keep_coming() -> None:
    """Or when one of them answers a probe; an absurd Retry-After is bounded."""
    state = State()
    for _ in range(RULES.failures - 1):
        state = breaker.throttled(state, state.term, 0.0, None, RULES)
        assert breaker.admit(state, 0.0) == "pass"
    state = breaker.throttled(state, state.term, 0.0, 0.0, RULES)
    assert breaker.admit(state, 0.0) == CircuitRefusal(reason="paused", retry_after_s=RULES.pause_s)
    out = breaker.probing(broken(), 30.0, 10.0)
    actual = breaker.throttled(out, out.term, 31.0, None, RULES)
    assert (actual.phase, breaker.admit(actual, 31.0)) == (
        "half-open",
        CircuitRefusal(reason="paused", retry_after_s=5.0),
    )
    assert breaker.throttled(State(), 0, 0.0, 1e9, RULES).paused_until == 3600.0


def test_a_wrong_key_opens_at_once_and_a_probe_finds_it_mended() -> None:
    """Whatever was before: the next call would be refused as well. What was admitted earlier says nothing."""
    for before in (State(), State(proven=True), State(failures=1)):
        state = breaker.misconfigured(before, before.term, 10.0, RULES)
        assert breaker.admit(state, 12.0) == CircuitRefusal(reason="misconfigured", retry_after_s=28.0)
        assert breaker.misconfigured(state, before.term, 20.0, RULES) == state
        out = breaker.probing(state, 40.0, 5.0)
        assert breaker.admit(out, 40.0) == CircuitRefusal(reason="misconfigured", retry_after_s=breaker.PROBING_S)
        again = breaker.misconfigured(out, out.term, 41.0, RULES)
        assert breaker.admit(again, 41.0) == CircuitRefusal(reason="misconfigured", retry_after_s=RULES.reset_s)
        assert breaker.succeeded(out, out.term).free
        down = breaker.failed(out, out.term, 41.0, RULES)
        assert breaker.admit(down, 41.0) == CircuitRefusal(reason="open", retry_after_s=RULES.reset_s)


def test_a_denial_opens_at_once_until_the_model_has_answered_well() -> None:
    """After that it has to come as often in a row as any failure, but for the probe's."""
    state = breaker.denied(State(), 0, 0.0, RULES)
    assert breaker.admit(state, 0.0) == CircuitRefusal(reason="misconfigured", retry_after_s=RULES.reset_s)
    state = breaker.succeeded(State(), 0)
    for _ in range(RULES.failures - 1):
        state = breaker.denied(state, state.term, 0.0, RULES)
        assert breaker.admit(state, 0.0) == "pass"
    assert breaker.succeeded(state, state.term) == State(proven=True)
    state = breaker.denied(state, state.term, 0.0, RULES)
    assert breaker.admit(state, 0.0) == CircuitRefusal(reason="misconfigured", retry_after_s=RULES.reset_s)
    out = breaker.probing(state, 30.0, 5.0)
    assert breaker.denied(out, out.term, 31.0, RULES).open_until == 61.0


def test_an_unclear_denial_opens_nothing_once_the_model_has_answered_well() -> None:
    """However often in a row it comes, and a probe's neither: a caller can cause each of them."""
    state = breaker.unclear(State(), 0, 0.0, RULES)
    assert breaker.admit(state, 0.0) == CircuitRefusal(reason="misconfigured", retry_after_s=RULES.reset_s)
    state = breaker.succeeded(State(failures=1), 0)
    for run in range(1, 3 * RULES.failures):
        state = breaker.unclear(state, state.term, 0.0, RULES)
        assert (breaker.admit(state, 0.0), state.refusals, state.failures) == ("pass", run, 0)
    assert breaker.succeeded(state, state.term) == State(proven=True)
    down = breaker.open_circuit(state, 30.0)
    out = breaker.probing(down, 30.0, 5.0)
    back = breaker.unclear(out, out.term, 31.0, RULES)
    assert (back.phase, breaker.admit(back, 31.0)) == ("half-open", "probe")
    assert breaker.unclear(down, state.term, 31.0, RULES) == down


def test_other_processes_are_believed() -> None:
    """An open one opens, a closed one closes, a pause pauses; what is the same moment again is no news."""
    state = breaker.absorbed(State(), Circuit(open=True, open_for_s=20.0), 100.0)
    assert (state.phase, state.open_until) == ("open", 120.0)
    assert breaker.absorbed(state, Circuit(open=True, open_for_s=19.0), 101.1) == state
    assert breaker.absorbed(state, Circuit(), 101.0).free
    assert breaker.absorbed(State(), Circuit(paused_for_s=3.0), 0.0).paused_until == 3.0
    out = breaker.probing(state, 120.0, 10.0)
    assert breaker.absorbed(out, Circuit(), 121.0) == out


def test_past_its_time_an_open_circuit_is_still_told_as_open() -> None:
    """Else the next process would send everybody; and what is told is taken in as it was."""
    assert breaker.shared(broken(), 100.0) == Circuit(open=True)
    assert breaker.shared(State(), 100.0) == Circuit()
    taken = breaker.absorbed(State(), breaker.shared(broken(), 100.0), 100.0)
    assert breaker.admit(taken, 100.0) == "probe"


@given(now=SECONDS, open_for=SECONDS, paused_for=SECONDS, is_open=st.booleans())
def test_what_is_shared_comes_back_as_it_was(now: float, open_for: float, paused_for: float, is_open: bool) -> None:
    """Told to a process that knew nothing, and told on by it: the same circuit."""
    circuit = Circuit(open=is_open, open_for_s=open_for if is_open else 0.0, paused_for_s=paused_for)
    actual = breaker.shared(breaker.absorbed(State(), circuit, now), now)
    assert actual.open == circuit.open
    assert abs(actual.open_for_s - circuit.open_for_s) < 1e-9
    assert abs(actual.paused_for_s - circuit.paused_for_s) <= breaker.SAME_S


class Life(RuleBasedStateMachine):
    """Any order of calls, answers, 429s, cancellations, leases that end and news from elsewhere."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.state = State()
        # Calls under way: (term, whether it is the probe, when its lease ends).
        self.calls: list[tuple[int, bool, float]] = []

    def live_probes(self) -> int:
        return sum(1 for term, probe, until in self.calls if probe and until > self.now and term == self.state.term)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(lease=st.floats(0.1, 60))
    def a_call_asks(self, lease: float) -> None:
        verdict = breaker.admit(self.state, self.now)
        if isinstance(verdict, CircuitRefusal):
            assert verdict.retry_after_s > 0
            return
        if verdict == "probe":
            assert self.live_probes() == 0
            self.state = breaker.probing(self.state, self.now, lease)
        self.calls.append((self.state.term, verdict == "probe", self.now + lease))

    @precondition(lambda self: self.calls)
    @rule(
        which=st.integers(0, 10_000),
        event=st.sampled_from(["good", "bad", "gone", "401", "403", "404", "429"]),
        value=st.none() | SECONDS,
    )
    def a_call_ends(self, which: int, event: str, value: float | None) -> None:
        term, _, _ = self.calls.pop(which % len(self.calls))
        before = self.state
        match event:
            case "good":
                self.state = breaker.succeeded(before, term)
            case "bad":
                self.state = breaker.failed(before, term, self.now, RULES)
            case "401":
                self.state = breaker.misconfigured(before, term, self.now, RULES)
            case "403":
                self.state = breaker.unclear(before, term, self.now, RULES)
                assert self.state.phase == before.phase or not before.proven
            case "404":
                self.state = breaker.denied(before, term, self.now, RULES)
            case "gone":
                self.state = breaker.released(before, term)
                assert self.state.phase == before.phase
            case _:
                self.state = breaker.throttled(before, term, self.now, value, RULES)
                assert self.state.phase == before.phase
                if value:
                    assert self.state.paused_until >= self.now + value
        assert self.state.term >= before.term

    @rule(is_open=st.booleans(), open_for=SECONDS, paused_for=SECONDS)
    def news_comes(self, is_open: bool, open_for: float, paused_for: float) -> None:
        circuit = Circuit(open=is_open, open_for_s=open_for if is_open else 0.0, paused_for_s=paused_for)
        self.state = breaker.absorbed(self.state, circuit, self.now)

    @invariant()
    def it_never_sticks(self) -> None:
        """Whatever happened, once every time has run out a probe gets through, and its success closes."""
        later = self.now + LONGEST_PAUSE_S + 200
        verdict = breaker.admit(self.state, later)
        assert verdict in ("pass", "probe")
        out = breaker.probing(self.state, later, 1.0) if verdict == "probe" else self.state
        assert breaker.succeeded(out, out.term).free

    @invariant()
    def closed_means_free_of_an_opening(self) -> None:
        closed = self.state.phase == "closed"
        assert not closed or (self.state.failures < RULES.failures and not self.state.misconfigured)


TestLife = Life.TestCase


def test_a_term_never_comes_back() -> None:
    """The changes are counted, so an old call is never taken for a new one."""
    state = broken()
    seen = {0, state.term}
    for now in (30.0, 60.0, 90.0):
        out = breaker.probing(state, now, 1.0)
        assert out.term not in seen
        state = breaker.failed(out, out.term, now, RULES)
        assert state.term not in seen | {out.term}
        seen |= {out.term, state.term}
    closed = breaker.succeeded(out, out.term)
    assert closed.term not in seen - {state.term}
    assert replace(closed, term=0) == State(proven=True)
