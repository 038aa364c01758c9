"""Providers' own limits: calls above them wait, or go to the tier's next model; jobs wait in their queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.upstream.test_chain import FIRST, SECOND, Silent, World
from turnout.errors import NoRoomYet, Overloaded
from turnout.ports.sharing import Claims
from turnout.records import Attempt
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.stores.memory.gate import MemoryGate
from turnout.testing import Hangs, settle
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.call_trace import CallTrace
from turnout.upstream.chain import Chain
from turnout.upstream.model_rates import ModelRates


class Job:
    """A running job that is given every place."""

    def __init__(self, *, places: int = 1_000) -> None:
        self.places = places
        self.asked = 0

    async def hold(self, model: str, most: int) -> bool:
        self.asked += 1
        return self.asked <= self.places


class Tokens:
    """Each call uses at most 100 tokens, and 10 in the end."""

    def most(self, model: str) -> int:
        return 100

    def used(self, attempt: Attempt) -> int:
        return 10


class RatedWorld(World):
    """A chain whose models have limits."""

    def __init__(self, *, beside: RatedWorld | None = None, claims: Claims | None = None, **models: Any) -> None:
        by_name = {"first": FIRST, "second": SECOND}
        super().__init__(models={by_name[name]: section for name, section in models.items()})
        if beside is not None:
            self.clock, self.provider = beside.clock, beside.provider
        self.gate = (
            beside.gate
            if beside is not None
            else MemoryGate(clock=self.clock, max_entries=10, max_bytes=1000, lease_s=720)
        )
        rates = ModelRates(settings=self.settings, clock=self.clock, gate=self.gate, claims=claims)
        self.bulkhead = Bulkhead(settings=self.settings, clock=self.clock, observer=Silent(), rates=rates)
        self.chain = Chain(
            provider=self.provider,
            clock=self.clock,
            observer=Silent(),
            settings=self.settings,
            bulkhead=self.bulkhead,
            prices=dict,
            limits=self.chain._limits,
            providers=self.chain._providers,
            rng=lambda: 0.5,
        )

    def begin(self, *models: str, **more: Any) -> asyncio.Task[Any]:
        return asyncio.ensure_future(self.chain.complete(self.order(*models, **more), CallTrace()))


def test_a_call_above_the_rate_waits_for_room() -> None:
    """Within its deadline, no longer than it must, and the provider never sees more in any window."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "2/10s"})
        calls = [w.begin(FIRST) for _ in range(5)]
        await settle()
        assert w.provider.calls[FIRST] == 2
        await w.clock.advance(9.9)
        assert w.provider.calls[FIRST] == 2
        await w.clock.advance(0.2)
        assert w.provider.calls[FIRST] == 4
        await w.clock.advance(10.1)
        assert [(await call)["model"] for call in calls] == ["first"] * 5

    asyncio.run(scenario())


def test_where_another_of_the_tier_may_answer_it_does() -> None:
    """Rather than a wait for more than a moment; a short wait is waited."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "1/minute"})
        assert (await w.complete(w.order()))["model"] == "first"
        trace = CallTrace()
        assert (await w.chain.complete(w.order(), trace))["model"] == "second"
        assert [(skip.model, skip.reason) for skip in trace.skipped] == [(FIRST, "rate")]
        w = RatedWorld(first={"rate": "1/second"})
        assert (await w.complete(w.order()))["model"] == "first"
        assert (await w.complete(w.order()))["model"] == "first"

    asyncio.run(scenario())


def test_what_cannot_have_room_within_its_deadline_is_told_at_once() -> None:
    """Nor time to be answered after it. 503 with the time to come back; with no waiting places, however short the
    wait."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "1/50s"}, second={"rate": "1/second", "max_waiting": 0})
        await w.complete(w.order(FIRST))
        began = w.clock.monotonic()
        with pytest.raises(Overloaded) as refused:
            await w.complete(w.order(FIRST))
        assert refused.value.retry_after_s == pytest.approx(50, rel=0.03)
        await w.complete(w.order(SECOND))
        with pytest.raises(Overloaded):
            await w.complete(w.order(SECOND))
        assert w.clock.monotonic() == began
        assert w.bulkhead.busy(FIRST) == w.bulkhead.busy(SECOND) == 0

    asyncio.run(scenario())


def test_tokens_are_reserved_and_corrected() -> None:
    """As many calls at once as fit with what each may use; when they end, what they used counts."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "250 tokens/minute"})
        w.provider.say(FIRST, Hangs(), Hangs(), "short")
        calls = [w.begin(FIRST, tokens=Tokens()) for _ in range(3)]
        await settle()
        assert w.provider.calls[FIRST] == 2
        calls[0].cancel()
        await w.clock.advance(2)
        assert w.provider.calls[FIRST] == 3
        assert (await calls[2])["model"] == "first"
        calls[1].cancel()
        await w.bulkhead.drain()
        await settle()

    asyncio.run(scenario())


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    """It is not refused for ever."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "50 tokens/minute"})
        assert (await w.complete(w.order(FIRST, tokens=Tokens())))["model"] == "first"
        await w.bulkhead.drain()

    asyncio.run(scenario())


def test_a_job_waits_in_its_queue_and_asks_no_other_model() -> None:
    """A short wait it waits here; else it goes back, and no failure counts."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "1/minute"})
        await w.complete(w.order(job=Job()))
        with pytest.raises(NoRoomYet) as later:
            await w.complete(w.order(job=Job()))
        assert later.value.retry_after_s == pytest.approx(60, rel=0.05)
        assert w.provider.calls[SECOND] == 0
        w = RatedWorld(first={"rate": "1/second"})
        for _ in range(3):
            assert (await w.complete(w.order(job=Job())))["model"] == "first"

    asyncio.run(scenario())


def test_a_request_goes_before_a_job_that_waits_for_the_rate() -> None:
    """Though the job came first."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "1/second"})
        await w.complete(w.order(FIRST))
        job = w.begin(FIRST, job=Job())
        await settle()
        request = w.begin(FIRST)
        await w.clock.advance(1.1)
        assert (request.done(), job.done()) == (True, False)
        await w.clock.advance(1.1)
        # It has waited here for long enough.
        with pytest.raises(NoRoomYet):
            await job

    asyncio.run(scenario())


def test_a_request_of_one_process_goes_before_the_jobs_of_another() -> None:
    """Each process has a line of its own; the claim is of both. Once no request waits, jobs go on."""

    async def scenario() -> None:
        app = RatedWorld(first={"rate": "1/10s"})
        claims = MemoryCircuitStore(clock=app.clock)
        app = RatedWorld(first={"rate": "1/10s"}, beside=app, claims=claims)
        worker = RatedWorld(first={"rate": "1/10s"}, beside=app, claims=claims)
        await worker.complete(worker.order(FIRST))
        # Too long for a job's wait: each is given back and comes again, as a worker lets it.
        done: list[str] = []

        async def job() -> None:
            while True:
                try:
                    await worker.chain.complete(worker.order(FIRST, job=Job()), CallTrace())
                except NoRoomYet as full:
                    await worker.clock.sleep(full.retry_after_s or 0.1)
                else:
                    done.append("job")
                    return

        async def request() -> None:
            await app.chain.complete(app.order(FIRST), CallTrace())
            done.append("request")

        tasks = [asyncio.ensure_future(job()) for _ in range(3)]
        await app.clock.advance(1.0)
        tasks += [asyncio.ensure_future(request()) for _ in range(2)]
        for _ in range(560):
            await app.clock.advance(0.1)
        assert done == ["request", "request", "job", "job", "job"]
        await asyncio.gather(*tasks)
        for world in (app, worker):
            await world.bulkhead.drain()

    asyncio.run(scenario())


def test_a_job_calls_a_model_only_with_a_place_that_workers_share() -> None:
    """Asked for again while it waits here; then it waits in its queue, and its slot is free."""

    async def scenario() -> None:
        w = World()
        job = Job(places=0)
        with pytest.raises(NoRoomYet):
            await w.complete(w.order(FIRST, job=job))
        assert job.asked > 5
        assert w.bulkhead.busy(FIRST) == 0
        assert w.provider.calls.total() == 0

    asyncio.run(scenario())


def test_whoever_leaves_the_line_holds_nobody_up() -> None:
    """Cancelled while first in line: the next one asks in its place."""

    async def scenario() -> None:
        w = RatedWorld(first={"rate": "1/second"})
        await w.complete(w.order(FIRST))
        first, second = w.begin(FIRST), w.begin(FIRST)
        await settle()
        first.cancel()
        await w.clock.advance(1.1)
        assert (await second)["model"] == "first"
        assert w.bulkhead.busy(FIRST) == 0

    asyncio.run(scenario())
