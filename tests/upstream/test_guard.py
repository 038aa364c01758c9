"""The guard over pybreaker: one probe at a time, nothing lost, and shared where a switchboard is."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pybreaker
import pytest

from turnout.attempt_errors import CallerFault, Denied, Misconfigured, ProviderFailed, ProviderRateLimited, Unsupported
from turnout.ports.sharing import Circuit
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.testing import ManualClock, settle
from turnout.upstream.breaker import CircuitRefusal, Rules
from turnout.upstream.guard import CLAIM_AGAIN_S, Guard, Permit
from turnout.upstream.refusals import ErrorBody, denial

RULES = Rules(failures=3, reset_s=30.0, pause_s=5.0)
NAME = "openai/large"
DOWN = ProviderFailed("down", status=500)


async def admitted(guard: Guard, lease_s: float = 10.0) -> Permit:
    permit = await guard.ask(NAME, lease_s)
    assert isinstance(permit, Permit)
    return permit


async def broken(guard: Guard) -> None:
    for _ in range(RULES.failures):
        (await admitted(guard)).report_failure(DOWN)
    assert isinstance(await guard.ask(NAME, 10.0), CircuitRefusal)


def test_pybreaker_carries_the_state_and_its_listeners_hear_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """closed, open, half-open, open, half-open, closed: each change told once, logged once."""

    async def scenario() -> None:
        clock = ManualClock()
        changes: list[tuple[str, str, str]] = []
        guard = Guard(clock=clock, rules=RULES, changed=lambda *change: changes.append(change))
        heard: list[str] = []

        class Listener(pybreaker.CircuitBreakerListener):
            def state_change(self, cb: object, old_state: object, new_state: pybreaker.CircuitBreakerState) -> None:
                heard.append(new_state.name)

        guard.circuit(NAME).add_listener(Listener())
        await broken(guard)
        assert guard.circuit(NAME).current_state == pybreaker.STATE_OPEN
        await clock.advance(30)
        (await admitted(guard)).report_failure(DOWN)
        await clock.advance(30)
        (await admitted(guard)).report_success()
        assert guard.circuit(NAME).current_state == pybreaker.STATE_CLOSED
        assert heard == ["open", "half-open", "open", "half-open", "closed"]
        assert [new for _, _, new in changes] == heard

    with caplog.at_level(logging.INFO, "turnout.upstream"):
        asyncio.run(scenario())
    messages = [record.message for record in caplog.records]
    assert [("is open" in line, "half-open" in line, "closed again" in line) for line in messages] == [
        (True, False, False),
        (False, True, False),
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_a_circuit_can_be_moved_by_hand() -> None:
    """pybreaker's open() keeps calls out for reset_s, close() lets them in at once."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)
        guard.circuit(NAME).open()
        refused = await guard.ask(NAME, 10.0)
        assert refused == CircuitRefusal(reason="open", retry_after_s=30.0)
        guard.circuit(NAME).close()
        (await admitted(guard)).report_success()
        guard.circuit(NAME).half_open()
        assert (await admitted(guard)).probe

    asyncio.run(scenario())


def test_of_two_hundred_one_is_the_probe_and_a_cancelled_one_is_given_back() -> None:
    """Until it has answered nobody else passes; given back, the next is the probe at once."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)
        await broken(guard)
        await clock.advance(30)
        for _ in range(3):
            asked = await asyncio.gather(*(guard.ask(NAME, 10.0) for _ in range(200)))
            probes = [permit for permit in asked if isinstance(permit, Permit)]
            assert len(probes) == 1
            probes[0].release()
        asked = await asyncio.gather(*(guard.ask(NAME, 10.0) for _ in range(200)))
        (probe,) = (permit for permit in asked if isinstance(permit, Permit))
        probe.report_success()
        asked = await asyncio.gather(*(guard.ask(NAME, 10.0) for _ in range(200)))
        assert all(isinstance(permit, Permit) for permit in asked)

    asyncio.run(scenario())


def test_a_probe_that_never_came_back_is_replaced_when_its_lease_ends() -> None:
    """And what it says after that is not heard."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)
        await broken(guard)
        await clock.advance(30)
        lost = await admitted(guard, lease_s=10)
        await clock.advance(9.9)
        assert isinstance(await guard.ask(NAME, 10.0), CircuitRefusal)
        await clock.advance(0.1)
        second = await admitted(guard, lease_s=10)
        lost.report_failure(DOWN)
        assert guard.circuit(NAME).current_state == "half-open"
        second.report_success()
        assert guard.state(NAME).free

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [CallerFault("bad image"), Unsupported("no logit_bias"), None])
def test_what_is_not_the_providers_fault_counts_neither_way(fault: CallerFault | Unsupported | None) -> None:
    """A caller's 400, a parameter that the model does not know and a cancellation neither open a circuit, nor close
    it, nor reset its count."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)

        async def neutral() -> None:
            permit = await admitted(guard)
            permit.report_failure(fault) if fault is not None else permit.release()

        for _ in range(10):
            await neutral()
        for _ in range(RULES.failures - 1):
            (await admitted(guard)).report_failure(DOWN)
            await neutral()
        assert guard.state(NAME).failures == RULES.failures - 1
        (await admitted(guard)).report_failure(DOWN)
        await clock.advance(30)
        await neutral()
        assert guard.circuit(NAME).current_state == "half-open"
        assert (await admitted(guard)).probe

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [Misconfigured("wrong key", status=401), Denied("no such model", status=404)])
def test_what_is_ours_to_mend_opens_at_once_and_the_probe_gets_it_back(fault: Misconfigured) -> None:
    """One refusal, and nobody else asks until the probe; whoever was told with it opens nothing anew."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)
        crowd = [await admitted(guard) for _ in range(20)]
        assert [permit.report_failure(fault) for permit in crowd] == [True] + [False] * 19
        assert await guard.ask(NAME, 10.0) == CircuitRefusal(reason="misconfigured", retry_after_s=30.0)
        await clock.advance(30)
        assert (await admitted(guard)).report_failure(fault)
        await clock.advance(30)
        (await admitted(guard)).report_success()
        assert guard.state(NAME).free

    asyncio.run(scenario())


def test_a_denial_of_one_request_does_not_take_a_model_that_answers_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What words tell to be the request's own counts for nothing, nor what tells nothing, which is warned of once a
    run; what is ours by its words counts, in a row, with no good answer between."""

    ours = denial(403, ErrorBody("Your organization has been disabled.", None, None, None))

    async def scenario() -> None:
        guard = Guard(clock=ManualClock(), rules=RULES)
        for _ in range(10):
            (await admitted(guard)).report_success()
            for said in ("flagged", "no"):
                for _ in range(2 * RULES.failures):
                    assert not (await admitted(guard)).report_failure(denial(403, ErrorBody(said, None, None, None)))
            for _ in range(RULES.failures - 1):
                assert not (await admitted(guard)).report_failure(ours)
        assert (await admitted(guard)).report_failure(ours)

    with caplog.at_level(logging.WARNING, "turnout.upstream"):
        asyncio.run(scenario())
    warned = [record.getMessage() for record in caplog.records if "without saying why" in record.getMessage()]
    assert len(warned) == 10
    assert NAME in warned[0]


def test_other_processes_do_not_ask_a_model_that_is_set_up_wrong() -> None:
    """The opening is posted as any other."""

    async def scenario() -> None:
        here = Processes()
        first, second = here.guards
        (await admitted(first)).report_failure(Misconfigured("wrong key", status=401))
        await here.entry(second)
        assert isinstance(await second.ask(NAME, 10.0), CircuitRefusal)
        for guard in here.guards:
            await guard.drain()

    asyncio.run(scenario())


def test_a_stream_that_begins_is_all_a_probe_is_to_find_out() -> None:
    """Its first content closes the circuit; that it breaks off later counts as any failure does."""

    async def scenario() -> None:
        clock = ManualClock()
        guard = Guard(clock=clock, rules=RULES)
        await broken(guard)
        await clock.advance(30)
        probe = await admitted(guard)
        probe.report_first_chunk()
        assert guard.state(NAME).free
        probe.report_failure(DOWN)
        assert guard.state(NAME).failures == 1

    asyncio.run(scenario())


def test_a_permit_is_told_once() -> None:
    """A second word, such as the release at the end, is not heard."""

    async def scenario() -> None:
        guard = Guard(clock=ManualClock(), rules=RULES)
        permit = await admitted(guard)
        permit.report_failure(DOWN)
        permit.report_failure(DOWN)
        permit.release()
        assert guard.state(NAME).failures == 1

    asyncio.run(scenario())


class Processes:
    """Guards of several processes at one switchboard; `entry` is what a request's gate would tell one."""

    def __init__(self, count: int = 2) -> None:
        self.clock = ManualClock()
        self.board = MemoryCircuitStore(clock=self.clock)
        self.guards = [Guard(clock=self.clock, rules=RULES, circuit_store=self.board) for _ in range(count)]

    async def entry(self, guard: Guard) -> None:
        await settle()
        await self.clock.advance(0.001)
        guard.absorb(self.board.states([NAME]), self.clock.monotonic())


def test_one_process_opens_for_all_and_one_closes_for_all() -> None:
    """By what rides back with the next request's entry."""

    async def scenario() -> None:
        here = Processes()
        first, second = here.guards
        await broken(first)
        await here.entry(second)
        assert isinstance(await second.ask(NAME, 10.0), CircuitRefusal)
        await here.clock.advance(30)
        (await admitted(second)).report_success()
        await here.entry(first)
        assert first.state(NAME).free
        for guard in here.guards:
            await guard.drain()

    asyncio.run(scenario())


def test_one_probe_among_all_processes() -> None:
    """Two hundred in each of four processes: one passes; given back, one of another process may be next."""

    async def scenario() -> None:
        here = Processes(4)
        await broken(here.guards[0])
        for guard in here.guards:
            await here.entry(guard)
        await here.clock.advance(30)
        asked = await asyncio.gather(*(guard.ask(NAME, 10.0) for guard in here.guards for _ in range(200)))
        (probe,) = (permit for permit in asked if isinstance(permit, Permit))
        probe.release()
        await settle()
        await here.clock.advance(CLAIM_AGAIN_S)
        asked = await asyncio.gather(*(guard.ask(NAME, 10.0) for guard in here.guards for _ in range(200)))
        (probe,) = (permit for permit in asked if isinstance(permit, Permit))
        probe.report_failure(DOWN)
        for guard in here.guards:
            await here.entry(guard)
            assert isinstance(await guard.ask(NAME, 10.0), CircuitRefusal)
            assert guard.state(NAME).open_until == pytest.approx(here.clock.monotonic() + 30, abs=0.5)

    asyncio.run(scenario())


def test_news_older_than_our_own_is_not_taken() -> None:
    """An entry that was asked for before we opened the circuit says that it is closed: it does not close it."""

    async def scenario() -> None:
        here = Processes()
        guard = here.guards[0]
        await here.board.post(NAME, Circuit())
        actual, asked_at = here.board.states([NAME]), here.clock.monotonic()
        await broken(guard)
        guard.absorb(actual, asked_at)
        assert not guard.state(NAME).free
        await settle()
        guard.absorb(actual, asked_at)
        assert not guard.state(NAME).free

    asyncio.run(scenario())


def test_a_pause_is_shared_too() -> None:
    """One process is told Retry-After, the others leave the provider alone as well."""

    async def scenario() -> None:
        here = Processes()
        first, second = here.guards
        (await admitted(first)).report_failure(ProviderRateLimited("slow", status=429, retry_after_s=7.0))
        await here.entry(second)
        refused = await second.ask(NAME, 10.0)
        assert isinstance(refused, CircuitRefusal)
        assert (refused.reason, round(refused.retry_after_s)) == ("paused", 7)

    asyncio.run(scenario())


def test_a_claim_cancelled_on_its_way_is_given_back() -> None:
    """The client left while the switchboard was being asked: neither here nor there is a probe left out."""

    async def scenario() -> None:
        here = Processes()
        first, second = here.guards

        class Slow(MemoryCircuitStore):
            async def claim(self, name: str, lease_s: float) -> bool:
                granted = await super().claim(name, lease_s)
                await here.clock.sleep(1.0)
                return granted

        slow = Slow(clock=here.clock)
        slow._posted, slow._probes = here.board._posted, here.board._probes
        first._circuit_store = slow
        await broken(first)
        await here.entry(second)
        await here.clock.advance(30)
        asking = asyncio.ensure_future(first.ask(NAME, 100.0))
        await settle()
        asking.cancel()
        await here.clock.advance(1.0)
        await first.drain()
        assert (await admitted(second)).probe

    asyncio.run(scenario())


def test_pybreaker_is_imported_by_the_constructor_alone() -> None:
    """It brings Redis and Tornado along; importing the room must stay light."""
    code = (
        "import sys, turnout.upstream.chain, turnout.upstream.guard;"
        "print([m for m in ('pybreaker', 'redis', 'tornado') if m in sys.modules])"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"
