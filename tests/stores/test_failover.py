"""Redis goes, hangs, comes back empty: every request is answered, and it is used again when it answers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.context import Caller
from turnout.errors import BudgetUnavailable, RateLimitExceeded, StoreUnavailable
from turnout.ports.admission import Ask, Settlement
from turnout.stores.outage_book import Report
from turnout.stores.redis.connection import StoreUnreachable
from turnout.testing import FixedScorer, ScriptedProvider

ANN = Caller(user="ann", endpoint="/ask")
# It is probed once a second; the promise is five.
BACK_WITHIN_S = 5.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own, to do anything to."""
    server = RedisServer()
    yield server
    server.kill()


def config(server: RedisServer, timeout_s: float = 0.25) -> dict[str, Any]:
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {
            f"openai/{name}": {"input_usd_per_million": 1, "output_usd_per_million": 10} for name in ("small", "large")
        },
        "routing": {"threshold": 0.5},
        "redis": {"url": server.url, "prefix": "outage", "timeout_s": timeout_s},
    }


class Process:
    """A Turnout as one process has it, with a provider of its own."""

    def __init__(self, server: RedisServer, timeout_s: float = 0.25, **sections: Any) -> None:
        self.provider = ScriptedProvider()
        settings = {**config(server, timeout_s), **sections}
        self.turnout = Turnout(settings, provider=self.provider, scorer=FixedScorer(0.1))

    async def ask(self, prompt: str) -> str:
        """Returns where the answer came from, once it is stored."""
        cache = (await self.turnout.complete(prompt, caller=ANN)).outcome.cache
        await self.turnout._pipeline.drain()
        return cache

    @property
    def alone(self) -> bool:
        """Whether it goes on by itself."""
        gate: Any = self.turnout._stores.gate
        return bool(gate._outage.active)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(scenario(), 60)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


async def until(true: Callable[[], bool], within_s: float = BACK_WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what it waits for happens in another object's own tasks
            await asyncio.sleep(0.01)


def test_a_redis_that_is_gone_is_replaced_by_the_process_itself(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Cache and collapsing go on in it; one line says so, and one that Redis is used again."""

    async def scenario() -> None:
        here = Process(server)
        assert await here.ask("a") == "miss_stored"
        server.kill()
        assert await here.ask("b") == "miss_stored"
        assert here.alone
        assert [await here.ask("b") for _ in range(3)] == ["hit"] * 3
        together = sorted(await asyncio.gather(*[here.ask("c") for _ in range(5)]))
        assert together == ["collapsed"] * 4 + ["miss_stored"]
        server.start()
        await until(lambda: not here.alone)
        other = Process(server)
        assert await here.ask("d") == "miss_stored"
        assert await other.ask("d") == "hit"
        await here.turnout.aclose()
        await other.turnout.aclose()

    run(scenario)
    lines = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]
    assert len(lines) == 2
    assert "cannot be used" in lines[0]
    assert "used again" in lines[1]


def test_an_outage_that_no_request_met_ends_without_one(server: RedisServer) -> None:
    """A purge finds Redis gone; the first request after it is back need not be answered without it."""

    async def scenario() -> None:
        here = Process(server)
        assert await here.ask("a") == "miss_stored"
        server.kill()
        with suppress(StoreUnavailable):
            await here.turnout.purge(user="ann")
        assert here.alone
        server.start()
        await until(lambda: not here.alone)
        await here.turnout.aclose()

    run(scenario)


def test_a_redis_that_was_never_there_keeps_nobody_from_starting(server: RedisServer) -> None:
    """And is used when it comes."""

    async def scenario() -> None:
        server.kill()
        async with (here := Process(server)).turnout:
            assert await here.ask("a") == "miss_stored"
            assert await here.ask("a") == "hit"
            server.start()
            await until(lambda: not here.alone)
            assert await here.ask("b") == "miss_stored"

    run(scenario)


def test_waiting_for_a_redis_that_hangs_is_bounded(server: RedisServer) -> None:
    """Three time-outs at most, none longer than the setting; then nobody waits for it."""

    async def scenario() -> None:
        async with (here := Process(server)).turnout:
            await here.ask("a")
            server.pause()
            began = time.monotonic()
            for number in itertools.count():
                await here.ask(f"b{number}")
                if here.alone:
                    break
            assert number < 3
            assert time.monotonic() - began < 4 * 0.25
            began = time.monotonic()
            for number in range(100):
                await here.ask(f"c{number}")
            assert time.monotonic() - began < 100 * 0.25 / 4
            server.resume()
            await until(lambda: not here.alone)

    run(scenario)


def test_a_hundred_at_once_wait_for_a_hanging_redis_only_once(server: RedisServer) -> None:
    """They share one connection, and its silence."""

    async def scenario() -> None:
        async with (here := Process(server)).turnout:
            await here.ask("a")
            server.pause()
            began = time.monotonic()
            await asyncio.gather(*[here.ask(f"b{number}") for number in range(100)])
            # One after another they would wait 25 s.
            assert time.monotonic() - began < 5
            assert here.alone
            server.resume()

    run(scenario)


def test_what_was_in_flight_when_redis_hung_is_settled_when_it_is_back(server: RedisServer) -> None:
    """The lease is given back: the next one asks anew, without waiting for anybody."""

    async def scenario() -> None:
        here, other = Process(server), Process(server)
        gate: Any = here.turnout._stores.gate
        let = asyncio.Event()
        complete = here.provider.complete

        class Held(ScriptedProvider):
            async def complete(self, call: Any) -> Any:
                await let.wait()
                return await complete(call)

        here.turnout._pipeline._leader._chain._provider = Held()
        asked = asyncio.create_task(here.ask("a"))
        await until(lambda: any(held.key for held in gate._shared.flights._held.values()))
        server.pause()
        let.set()
        assert await asked == "miss_stored"
        await until(lambda: bool(gate._unsettled))
        server.resume()
        await until(lambda: not gate._unsettled)
        assert await other.ask("a") == "miss_stored"
        for process in (here, other):
            await process.turnout.aclose()

    run(scenario)


def test_a_lease_that_came_too_late_blocks_nobody(server: RedisServer) -> None:
    """Redis takes up what it was asked when it runs again; whoever follows such a lease learns that it is void."""

    async def scenario() -> None:
        here, other = Process(server), Process(server, timeout_s=5.0)
        await here.ask("warm")
        await other.ask("warm")
        server.pause()
        assert await here.ask("a") == "miss_stored"
        server.resume()
        began = time.monotonic()
        assert await other.ask("a") in ("miss_stored", "collapsed")
        assert time.monotonic() - began < 2.5, "sooner than the lease would have ended"
        assert other.provider.calls.total() <= 1
        for process in (here, other):
            await process.turnout.aclose()

    run(scenario)


def test_budgets_refuse_in_an_outage_unless_they_may_go_on(server: RedisServer) -> None:
    """503 `budget_unavailable`, but what is cached is served; "local": calls are made."""

    async def scenario() -> None:
        async with (
            (strict := Process(server, budgets={"total": "1/day"})).turnout,
            (loose := Process(server, budgets={"total": "1/day", "on_outage": "local"})).turnout,
        ):
            await strict.ask("a")
            await loose.ask("b")
            server.kill()
            for _ in range(3):
                with pytest.raises(BudgetUnavailable) as refusal:
                    await strict.ask("c")
                assert refusal.value.told_status == 503
            assert strict.provider.calls.total() == 1
            assert await loose.ask("d") == "miss_stored"
            assert await loose.ask("d") == "hit"
            server.start()
            await until(lambda: not strict.alone)
            assert await strict.ask("c") == "miss_stored"

    run(scenario)


def test_a_limit_is_shared_out_among_the_workers_in_an_outage(server: RedisServer) -> None:
    """Two workers, ten a minute: five each."""

    async def scenario() -> None:
        limits = {"per_user": "10/minute"}
        async with (
            (one := Process(server, limits=limits)).turnout,
            (two := Process(server, limits=limits)).turnout,
        ):
            for process in (one, two, one):
                gate: Any = process.turnout._stores.gate
                await gate._shared.reach()
            server.kill()
            for process in (one, two):
                results = await asyncio.gather(*[process.ask(f"q{n}") for n in range(10)], return_exceptions=True)
                assert sum(isinstance(answer, str) for answer in results) == 5
                assert sum(isinstance(answer, RateLimitExceeded) for answer in results) == 5

    run(scenario)


def test_an_outage_that_began_on_another_loop_ends_too(server: RedisServer) -> None:
    """A server without a lifespan may run each request on a loop of its own."""
    here = Process(server)
    server.kill()
    asyncio.run(here.ask("a"))
    assert here.alone
    server.start()

    async def scenario() -> None:
        await here.ask("b")
        await until(lambda: not here.alone)
        await here.turnout.aclose()

    run(scenario)


def test_no_request_is_lost_whatever_happens_to_redis(server: RedisServer) -> None:
    """Two processes under load, hits and misses, while Redis is killed, restarted empty, stopped and resumed."""

    async def scenario() -> None:
        processes = [Process(server), Process(server)]
        over = asyncio.Event()
        answered = 0

        async def load(process: Process, number: int) -> None:
            nonlocal answered
            for turn in itertools.count():
                if over.is_set():
                    return
                await process.turnout.complete(f"{number % 3} {turn}", caller=ANN)
                answered += 1
                await asyncio.sleep(0.002)

        loads = [asyncio.create_task(load(process, number)) for process in processes for number in range(6)]
        for happens in (server.kill, server.start, server.pause, server.resume, server.kill, server.start):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(happens)
        await until(lambda: not any(process.alone for process in processes))
        over.set()
        await asyncio.gather(*loads)
        assert answered > 300
        assert await processes[0].ask("last") == "miss_stored"
        assert await processes[1].ask("last") == "hit"
        for process in processes:
            await process.turnout.aclose()

    run(scenario)


def test_an_admission_whose_answer_came_too_late_is_given_back(server: RedisServer) -> None:
    """What was refused with 503 holds nothing when Redis goes on."""

    async def scenario() -> None:
        async with (here := Process(server, budgets={"total": "1/day"})).turnout:
            await here.ask("warm")
            gate: Any = here.turnout._stores.gate
            server.pause()
            for number in range(3):
                with pytest.raises(BudgetUnavailable):
                    await here.ask(f"paused {number}")
            server.resume()
            await until(lambda: not gate._unsettled)
            assert not here.alone
            await here.ask("back")
            (state,) = gate._shared.last_states.budgets
            # As it stood when this one was admitted: nothing but its own worst case.
            assert 0 < state.reserved < 2 * 10**7
            assert not gate._shared.flights._held

    run(scenario)


def test_a_worker_that_never_heard_redis_has_no_share_of_a_budget(server: RedisServer) -> None:
    """Nor one of a user whose budget it was never told: each restart would spend it anew."""

    async def scenario() -> None:
        budgets = {"per_user": "1/day", "on_outage": "local"}
        server.kill()
        async with (here := Process(server, budgets=budgets)).turnout:
            with pytest.raises(BudgetUnavailable):
                await here.ask("a")
            assert here.provider.calls.total() == 0

    run(scenario)


def test_a_lease_whose_settlement_is_owed_is_disowned_by_nobody(server: RedisServer) -> None:
    """Who joins its flight meanwhile waits; the cost is booked once."""

    async def scenario() -> None:
        async with (here := Process(server)).turnout:
            await here.ask("warm")
            gate: Any = here.turnout._stores.gate
            lead = (await gate.enter(Ask(key=b"k"))).verdict
            await gate._shared._client.here().session._connection.close()
            gate._outage.record_failure(timed_out=False)
            await gate.leave(Settlement(key=b"k", lease=lead.lease, cost=5))
            assert lead.lease in gate._shared.flights._held
            await until(lambda: not gate._unsettled)
            assert lead.lease not in gate._shared.flights._held

    run(scenario)


def test_what_was_admitted_in_an_outage_counts_when_redis_is_used_again(server: RedisServer) -> None:
    """Three outages let no more through than the limit and the budget, whatever is under way at their ends."""

    async def scenario() -> None:
        limits = {"per_user": "12/hour"}
        budgets = {"total": "0.1/day", "on_outage": "local"}
        sections: dict[str, Any] = {"limits": limits, "budgets": budgets, "cache": {"enabled": False}}
        async with (
            (one := Process(server, **sections)).turnout,
            (two := Process(server, **sections)).turnout,
        ):
            gates: list[Any] = [process.turnout._stores.gate for process in (one, two)]
            asked = itertools.count()

            def provided() -> int:
                return one.provider.calls.total() + two.provider.calls.total()

            for _ in range(3):
                for process, gate in ((one, gates[0]), (two, gates[1])):
                    await process.ask(f"{next(asked)}")
                    await gate._shared.reach()
                server.pause()
                for process in (one, two) * 6:
                    with suppress(RateLimitExceeded, BudgetUnavailable):
                        await process.ask(f"{next(asked)}")
                assert one.alone
                assert two.alone
                server.resume()
                await until(lambda: not one.alone and not two.alone)
                if provided() >= 11:
                    break
            results = await asyncio.gather(*[one.ask(f"last {n}") for n in range(12)], return_exceptions=True)
            assert any(isinstance(result, RateLimitExceeded) for result in results)
            assert 4 < provided() <= 12

    run(scenario)


def test_what_was_admitted_is_gone_for_the_next_share_before_redis_is_told(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that goes on and is lost again meanwhile: this process does not admit its share a second time."""

    async def scenario() -> None:
        limits = {"per_user": "10/hour"}
        async with (here := Process(server, limits=limits, cache={"enabled": False})).turnout:
            gate: Any = here.turnout._stores.gate
            await here.ask("warm")
            lost = asyncio.Event()

            async def untold(report: Report) -> None:
                lost.set()
                raise StoreUnreachable("gone again")

            monkeypatch.setattr(gate._shared, "report", untold)
            server.pause()
            for number in range(5):
                await here.ask(f"{number}")
            server.resume()
            await asyncio.wait_for(lost.wait(), BACK_WITHIN_S)
            assert here.alone
            results = await asyncio.gather(*[here.ask(f"more {number}") for number in range(9)], return_exceptions=True)
            assert sum(isinstance(answer, str) for answer in results) == 4
            monkeypatch.undo()
            await until(lambda: not here.alone)

    run(scenario)
