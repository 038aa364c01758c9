"""What workers may spend by themselves while Redis is away is set aside there: together never more than was left."""

from __future__ import annotations

import asyncio
import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
import redis

from tests.stores.contract.conftest import STILL_CLOCK, RedisBench
from tests.support.redis_server import RedisServer
from turnout.errors import BudgetUnavailable
from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.stores.allowances import MAX_ACCOUNTS, Allowances, account_name
from turnout.stores.failover import FailoverGate
from turnout.stores.memory.gate import MemoryGate
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.testing import ManualClock

DAY = BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 4_000_000_000),))
ROLLING = BudgetClaim(policy="user", key="user:ann", limit=1000, rolling_s=4096)
SHORT = BudgetClaim(policy="user", key="user:bob", limit=1000, rolling_s=60)
STATE = BudgetState(claim=DAY, spent=0, reserved=0, start=0, end=4_000_000_000)
WORST = 20


class Worker:
    """One worker's gate, cut off from Redis at will, and the provider's books of what it spent of each budget."""

    def __init__(self, bench: RedisBench, *, max_accounts: int = MAX_ACCOUNTS) -> None:
        self.bench = bench
        self.clock = ManualClock(1000.0)
        self.shared = RedisGate(
            bench.client(), Bounds(max_entries=9, max_bytes=9999), self.clock.monotonic, spends_alone=True
        )
        self.shared.allowances = Allowances(max_accounts)
        self.gate = FailoverGate(
            shared=self.shared,
            local=lambda: MemoryGate(clock=self.clock, max_entries=9, max_bytes=9999, lease_s=100),
            clock=self.clock,
            budgets_local=True,
            on_change=lambda up, reason: None,
        )
        self.open: dict[str, tuple[tuple[BudgetClaim, ...], int]] = {}
        self.spent: Counter[str] = Counter()
        # What was asked of it and is not answered; what it gave up, and Redis was not told of.
        self.asked: list[str] = []
        self.late: list[list[tuple[str, int]]] = []
        self._connection: Any = None

    def cut(self, *, deaf: bool = True) -> None:
        """deaf: nor is it asked for its allowances."""
        if deaf:
            self.shared._client.yield_allowance = None
        session = self.shared._client.here().session
        if self._connection is None:
            self._connection = session.connection

            async def refuse() -> Any:
                raise StoreUnreachable("cut off")

            session.connection = refuse  # type: ignore[method-assign]

    @property
    def is_cut(self) -> bool:
        return self._connection is not None

    def heal(self) -> None:
        self.shared._client.yield_allowance = self.shared._yield
        if self._connection is not None:
            self.shared._client.here().session.connection = self._connection  # type: ignore[method-assign]
            self._connection = None

    def hesitate(self) -> None:
        """Gives nothing back by itself when it is asked."""

        async def note(account: str) -> None:
            self.asked.append(account)

        self.shared._client.yield_allowance = note

    def give_up(self, account: str) -> None:
        self.late.append(self.shared.allowances.give_up([account]))

    async def give_back(self) -> None:
        with suppress(StoreUnreachable):
            await self.shared._give_back(self.late.pop(0))

    async def begin(self, *claims: BudgetClaim, worst: int = WORST) -> bool:
        try:
            verdict = (await self.gate.enter(Ask(budgets=claims, worst=(worst,)))).verdict
        except BudgetUnavailable:
            return False
        if isinstance(verdict, Lead):
            self.open[verdict.lease] = (claims, worst)
            self._book(claims, worst)
        return isinstance(verdict, Lead)

    async def top_up(self, amount: int) -> bool:
        lease, (claims, reserved) = next(iter(self.open.items()))
        fits = await self.gate.top_up(lease, amount)
        if fits:
            self.open[lease] = (claims, reserved + amount)
            self._book(claims, amount)
        return fits

    async def end(self, cost: int | None = None) -> None:
        """The oldest of its calls ends. cost: None where it is unknown."""
        lease = next(iter(self.open))
        claims, reserved = self.open.pop(lease)
        if cost is not None:
            self._book(claims, cost - reserved)
        await self.gate.leave(Settlement(key=None, lease=lease, cost=cost))

    def _book(self, claims: tuple[BudgetClaim, ...], amount: int) -> None:
        self.spent.update({claim.key: amount for claim in claims})

    async def settle_all(self) -> None:
        while self.open:
            await self.end()

    async def return_(self) -> None:
        self.heal()
        for _ in range(8):
            await self.clock.advance(1.5)
            for _ in range(2000):
                await asyncio.sleep(0.001)
                if not self.gate._outage.active and not self.gate._book and not self.gate._reports:
                    return
                if self.clock._waiting:
                    break

    async def close(self) -> None:
        self.heal()
        await self.gate.close()


class Accounts:
    """What stands in Redis of each account: spent, reserved, and set aside for which worker."""

    def __init__(self, bench: RedisBench) -> None:
        self._redis: Any = redis.Redis.from_url(bench.url, decode_responses=True)
        self._root = f"{{{bench.prefix}}}:"

    def set_aside(self, claim: BudgetClaim) -> dict[str, int]:
        allowances = self._redis.hgetall(f"{self._root}w:{name_of(claim)}")
        return {worker: int(text.split(" ")[0]) for worker, text in allowances.items() if text[0] != "0"}

    def taken(self, claim: BudgetClaim) -> int:
        return self.spent(claim) + self.reserved(claim) + sum(self.set_aside(claim).values())

    def spent(self, claim: BudgetClaim) -> int:
        return int(self._redis.hget(f"{self._root}{name_of(claim)}", "s") or 0)

    def reserved(self, claim: BudgetClaim) -> int:
        return int(self._redis.hget(f"{self._root}{name_of(claim)}", "r") or 0)

    def told_ms(self, claim: BudgetClaim, worker: Worker) -> int:
        """How long ago the worker was told, by the clock of Redis."""
        text = self._redis.hget(f"{self._root}w:{name_of(claim)}", worker.shared.worker)
        return 1_800_000_000_000 + int(self._redis.get(f"{self._root}moved") or 0) - int(text.split(" ")[2])

    def lose_all(self) -> None:
        """Redis is emptied of what is this bench's."""
        self._redis.delete(*self._redis.keys(f"{self._root}*"))

    def lives_ms(self, claim: BudgetClaim) -> tuple[int, int]:
        """How long the account is kept, and what is set aside of it."""
        name = name_of(claim)
        return self._redis.pttl(f"{self._root}{name}"), self._redis.pttl(f"{self._root}w:{name}")

    def check(self, claims: Iterable[BudgetClaim], workers: Iterable[Worker]) -> None:
        """Together never more than the budget, and none counts on more than is set aside for it."""
        for claim in claims:
            assert self.taken(claim) <= claim.limit
            aside = self.set_aside(claim)
            for worker in workers:
                allowance = worker.shared.allowances.amount(claim, worker.clock.time(), worker.clock.monotonic())
                assert allowance <= aside.get(worker.shared.worker, 0)


def name_of(claim: BudgetClaim) -> str:
    """The account's name in Redis, after the root. Of a calendar budget that of its one window."""
    return account_name(claim, claim.windows[0] if claim.windows else None)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to pass")


Scenario = Callable[[RedisBench, Accounts], Awaitable[None]]


@pytest.fixture
def run(redis_server: RedisServer) -> Callable[[Scenario], None]:
    """Runs a scenario on a Redis of its own whose clock stands still."""

    def run(scenario: Scenario) -> None:
        bench = RedisBench(redis_server, STILL_CLOCK)
        asyncio.run(scenario(bench, Accounts(bench)))
        bench.close()

    return run


STEPS = {
    "begin": 60,
    "end": 25,
    "top_up": 8,
    "cut": 5,
    "return": 6,
    "restart": 1,
    "hesitate": 4,
    "give_up": 8,
    "give_back": 8,
    "pass_time": 2,
}


@pytest.mark.parametrize("max_accounts", [1, 10_000], ids=["evicted", "kept"])
@pytest.mark.parametrize("seed", range(3))
def test_no_sequence_of_steps_passes_a_budget(run: Callable[[Scenario], None], seed: int, max_accounts: int) -> None:
    """Three workers call, top up, end calls, give allowances up late, are cut off, return and start anew, in any order:
    after each step spent, reserved and set aside are no more than each budget, and so is what the provider saw."""
    chance = random.Random(seed)
    claims = (DAY, ROLLING)

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        workers = [Worker(bench, max_accounts=max_accounts) for _ in range(3)]
        everyone = list(workers)

        async def step(worker: Worker, name: str) -> None:
            if name == "begin":
                some = chance.choice([(DAY,), (ROLLING,), claims])
                await worker.begin(*some, worst=chance.choice([1, WORST, 5 * WORST]))
            elif name == "end" and worker.open:
                _, reserved = next(iter(worker.open.values()))
                await worker.end(chance.choice([0, reserved // 2, reserved, None]))
            elif name == "top_up" and worker.open:
                await worker.top_up(chance.choice([1, WORST, 10 * WORST]))
            elif name == "cut":
                worker.cut(deaf=chance.random() < 0.5)
            elif name == "return":
                await worker.return_()
            elif name == "restart":
                workers[workers.index(worker)] = new = Worker(bench, max_accounts=max_accounts)
                everyone.append(new)
            elif name == "hesitate":
                worker.hesitate()
            elif name == "give_up" and worker.asked:
                worker.give_up(worker.asked.pop(0))
            elif name == "give_back" and worker.late:
                await worker.give_back()
            elif name == "pass_time" and bench_s[0] < 3000:
                bench_s[0] += 300
                await bench.pass_time(300)
                for each in everyone:
                    await each.clock.advance(300)

        bench_s = [0]
        for _ in range(120):
            await step(chance.choice(workers), chance.choices(list(STEPS), list(STEPS.values()))[0])
            accounts.check(claims, everyone)
            for claim in claims:
                assert sum(each.spent[claim.key] for each in everyone) <= claim.limit
        for worker in everyone:
            await worker.return_()
            await worker.settle_all()
            await worker.close()
            accounts.check(claims, everyone)

    run(scenario)


def test_a_budget_is_used_up_though_workers_hold_allowances(run: Callable[[Scenario], None]) -> None:
    """Who needs what another has set aside is given it, for a call and for what a call grows by."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        one, two = Worker(bench), Worker(bench)
        for worker in (two, one):
            assert await worker.begin(DAY)
        await two.end(0)
        assert await one.begin(DAY, worst=900)
        assert two.shared.allowances.amount(DAY, 1000, 1000) == 0
        await one.end(0)
        await one.end(0)
        assert await two.begin(DAY)
        await two.end(0)
        assert accounts.set_aside(DAY)[two.shared.worker] > WORST
        assert await one.begin(DAY)
        assert await one.top_up(1000 - WORST)
        assert one.spent[DAY.key] == accounts.taken(DAY) == 1000
        await close(one, two)

    run(scenario)


async def close(*workers: Worker) -> None:
    for worker in workers:
        await worker.close()


async def share_out(accounts: Accounts, one: Worker, two: Worker) -> None:
    """Both hold allowances and have spent nothing. The first had one half to itself, and gives it back."""
    for _ in range(200):
        for worker in (one, two):
            assert await worker.begin(DAY)
            await worker.end(0)
        if two.shared.allowances.amount(DAY, 1000, 1000):
            break
        await asyncio.sleep(0.01)
    assert two.shared.allowances.amount(DAY, 1000, 1000)
    accounts.check([DAY], [one, two])


def test_what_a_cut_off_worker_holds_is_left_to_it(run: Callable[[Scenario], None]) -> None:
    """Nobody else is given it, for a call or for its growth; it spends that much, the other the rest; a worker that
    starts in the outage spends nothing."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        one, two = Worker(bench), Worker(bench)
        await share_out(accounts, one, two)
        two.cut()
        await one.shared.give_allowances_back()
        aside = accounts.set_aside(DAY)[two.shared.worker]
        assert await one.begin(DAY)
        room = 1000 - aside - WORST
        assert not await one.top_up(room - accounts.set_aside(DAY).get(one.shared.worker, 0) + 1 + WORST * 100)
        assert not await one.top_up(room + 1)
        assert not await one.begin(DAY, worst=room + 1)
        await one.shared.give_allowances_back()
        assert await one.top_up(room)
        new = Worker(bench)
        new.cut()
        assert not await new.begin(DAY)
        while await two.begin(DAY):
            await two.end(WORST)
        assert two.spent[DAY.key] == aside // WORST * WORST
        assert accounts.set_aside(DAY)[two.shared.worker] == aside, "Redis was told nothing yet"
        await two.return_()
        assert accounts.set_aside(DAY)[two.shared.worker] == aside % WORST
        accounts.check([DAY], [one, two])
        await one.end(WORST)
        while await one.begin(DAY):
            await one.end(WORST)
        assert one.spent[DAY.key] + two.spent[DAY.key] == 1000
        for worker in (one, two, new):
            await worker.close()

    run(scenario)


def test_what_was_spent_and_is_under_way_in_an_outage_lowers_the_allowance(run: Callable[[Scenario], None]) -> None:
    """In Redis and in the worker by the same, whatever the budget's kind; the call under way is settled in Redis."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        claims = (DAY, ROLLING)
        worker = Worker(bench)
        assert await worker.begin(*claims, worst=2)
        await worker.end(0)
        before = {claim.key: accounts.set_aside(claim)[worker.shared.worker] for claim in claims}
        worker.cut()
        for worst in (40, 30, 20):
            assert await worker.begin(*claims, worst=worst)
        await worker.end(25)
        assert await worker.top_up(5)
        await worker.return_()
        for claim in claims:
            assert accounts.set_aside(claim)[worker.shared.worker] == before[claim.key] - 25 - 35 - 20
            assert worker.shared.allowances.amount(claim, 1000, worker.clock.monotonic()) == before[claim.key] - 80
            assert accounts.taken(claim) == before[claim.key]
        while worker.open:
            await worker.end(10)
        await worker.shared.give_allowances_back()
        assert [accounts.taken(claim) for claim in claims] == [45, 45]
        await worker.close()

    run(scenario)


def test_a_call_that_cost_more_than_was_set_aside_leaves_nothing_of_it(run: Callable[[Scenario], None]) -> None:
    """All that it cost is booked."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker = Worker(bench)
        assert await worker.begin(DAY)
        await worker.end(0)
        worker.cut()
        assert await worker.begin(DAY, worst=400)
        await worker.end(600)
        await worker.return_()
        assert accounts.set_aside(DAY) == {}
        assert worker.shared.allowances.amount(DAY, 1000, worker.clock.monotonic()) == 0
        assert accounts.taken(DAY) == 600
        assert await worker.begin(DAY)
        assert accounts.set_aside(DAY) == {worker.shared.worker: 190}
        await worker.close()

    run(scenario)


def test_what_an_emptied_redis_had_set_aside_is_spent_by_nobody(run: Callable[[Scenario], None]) -> None:
    """It is found empty under an open connection; the worker begins anew there."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker = Worker(bench)
        for claim in (DAY, ROLLING):
            assert await worker.begin(claim)
        held = accounts.set_aside(ROLLING)[worker.shared.worker]
        accounts.lose_all()
        assert await worker.begin(DAY)
        assert held > 0
        assert worker.shared.allowances.amount(ROLLING, 1000, worker.clock.monotonic()) == 0
        await worker.close()

    run(scenario)


def test_what_is_given_back_late_takes_no_newer_grant_away(run: Callable[[Scenario], None]) -> None:
    """The worker counts on the newer one."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        one, two = Worker(bench), Worker(bench)
        assert await two.begin(DAY, worst=800)
        assert await one.begin(DAY)
        small = accounts.set_aside(DAY)[one.shared.worker]
        one.give_up(name_of(DAY))
        await two.end(0)
        await two.shared.give_allowances_back()
        assert await one.begin(DAY)
        large = accounts.set_aside(DAY)[one.shared.worker]
        assert large >= 2 * small
        await one.give_back()
        assert accounts.set_aside(DAY) == {one.shared.worker: large}
        assert one.shared.allowances.amount(DAY, 1000, 1000) == large
        one.give_up(name_of(DAY))
        await one.give_back()
        assert accounts.set_aside(DAY) == {}
        await close(one, two)

    run(scenario)


@pytest.mark.parametrize("claim", [DAY, SHORT], ids=["calendar", "a minute"])
def test_what_a_dead_worker_held_is_free_after_two_hours(run: Callable[[Scenario], None], claim: BudgetClaim) -> None:
    """Not before, though the account is used no more: its worker may be cut off, and counts on it for one hour."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        dead, living = Worker(bench), Worker(bench)
        assert await dead.begin(claim)
        await dead.end(0)
        dead.cut()
        aside = accounts.set_aside(claim)[dead.shared.worker]
        assert all(7_190_000 < lives <= 7_200_000 or claim is DAY for lives in accounts.lives_ms(claim))
        assert accounts.lives_ms(claim)[0] >= accounts.lives_ms(claim)[1] > 7_190_000
        await dead.clock.advance(3599)
        assert dead.shared.allowances.amount(claim, 1000, dead.clock.monotonic()) == aside
        await dead.clock.advance(1)
        assert dead.shared.allowances.amount(claim, 1000, dead.clock.monotonic()) == 0
        await bench.pass_time(7199)
        assert not await living.begin(claim, worst=1000 - aside + 1)
        await bench.pass_time(1)
        assert await living.begin(claim, worst=1000)
        assert accounts.set_aside(claim) == {}
        await close(dead, living)

    run(scenario)


def test_a_worker_that_calls_keeps_its_allowance(run: Callable[[Scenario], None]) -> None:
    """It is told of it anew, for an hour each time; so is Redis, which is not written to for less than a minute."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker = Worker(bench)
        for seconds in (0, 1, 60, 3000, 3000, 3000):
            await bench.pass_time(seconds)
            await worker.clock.advance(seconds)
            assert await worker.begin(DAY)
            await worker.end(0)
            told = accounts.told_ms(DAY, worker)
            assert told == (1000 if seconds == 1 else 0)
            assert worker.shared.allowances.amount(DAY, 1000, worker.clock.monotonic() + 3598) > 0
            assert not worker.shared.allowances.amount(DAY, 1000, worker.clock.monotonic() + 3600)
        await worker.close()

    run(scenario)


def test_an_allowance_is_a_part_of_one_half_of_what_is_left(run: Callable[[Scenario], None]) -> None:
    """None for less than the cheapest call, none for a refused one; raised only to twice as much, to be seldom."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        one = Worker(bench)
        assert await one.begin(DAY, worst=400)
        assert accounts.set_aside(DAY) == {}, "one half of 600 is less than one call of 400"
        await one.end(0)
        assert not await one.begin(DAY, worst=1001)
        assert accounts.set_aside(DAY) == {}
        full = BudgetClaim(policy="user", key="user:cat", limit=1, rolling_s=4096)
        assert not await one.begin(DAY, full, worst=200)
        assert accounts.set_aside(DAY) == {}, "a refused call is granted nothing of the budget that had room"
        assert await one.begin(DAY, worst=200)
        assert accounts.set_aside(DAY) == {one.shared.worker: 400}
        await one.end(0)
        assert await one.begin(DAY)
        assert accounts.set_aside(DAY) == {one.shared.worker: 400}, "490 is not twice as much"
        two = Worker(bench)
        for worker in (one, two):
            worker.hesitate()
        assert await two.begin(DAY)
        assert accounts.set_aside(DAY)[two.shared.worker] == 80, "one half of 960 without those 400, less than its 240"
        assert await two.begin(DAY)
        await until(lambda: len(one.asked) == 2)
        assert not two.asked, "it has less than its part"
        one.give_up(name_of(DAY))
        await one.give_back()
        assert await two.begin(DAY)
        assert accounts.set_aside(DAY) == {two.shared.worker: (1000 - 4 * WORST) // 4}
        await close(one, two)

    run(scenario)


def test_a_raised_allowance_is_the_workers_whole_part(run: Callable[[Scenario], None]) -> None:
    """What it has already is part of it."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker = Worker(bench)
        assert await worker.begin(DAY, worst=800)
        assert await worker.begin(DAY)
        assert accounts.set_aside(DAY) == {worker.shared.worker: 90}
        await worker.end(0)
        assert await worker.begin(DAY)
        assert accounts.set_aside(DAY) == {worker.shared.worker: (1000 - 2 * WORST) // 2}
        await worker.close()

    run(scenario)


def test_a_worker_is_asked_on_its_newest_connection(run: Callable[[Scenario], None]) -> None:
    """Another event loop of its process made the last call."""

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker, other = Worker(bench), Worker(bench)
        assert await worker.begin(DAY)
        await worker.end(0)
        session = worker.shared._client.here().session
        await session._disconnect()
        session.name = secrets.token_hex(6)
        assert await worker.begin(DAY)
        await worker.end(0)
        assert await other.begin(DAY, worst=1000)
        for each in (worker, other):
            await each.close()

    run(scenario)


def test_what_is_kept_of_too_many_accounts_is_given_back(run: Callable[[Scenario], None]) -> None:
    """So that others may spend it; the newest are kept."""
    claims = [BudgetClaim(policy="user", key=f"user:{number}", limit=1000, rolling_s=4096) for number in range(30)]

    async def scenario(bench: RedisBench, accounts: Accounts) -> None:
        worker = Worker(bench, max_accounts=3)
        for claim in claims:
            assert await worker.begin(claim)
        await until(lambda: sum(bool(accounts.set_aside(claim)) for claim in claims) == 3)
        accounts.check(claims, [worker])
        assert all(accounts.set_aside(claim) for claim in claims[-3:])
        await until(lambda: len(worker.shared.allowances) == 3)
        await worker.settle_all()
        await worker.close()

    run(scenario)


def test_a_child_forked_in_an_outage_spends_nothing_of_its_parents(redis_server: RedisServer) -> None:
    """Nor does it tell Redis what its parent spent: the parent does."""
    code = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from tests.stores.test_allowances import *
class Server:
    url = sys.argv[1]
bench = RedisBench(Server())
worker = Worker(bench)
parents = worker.shared.worker
async def child():
    worker._connection, worker.open = None, {}
    assert not await worker.begin(DAY), "it has no allowance"
    await worker.return_()
    assert await worker.begin(DAY), "Redis is used again"
    await worker.end(0)
    assert worker.shared.worker != parents
async def after():
    accounts = Accounts(bench)
    assert list(accounts.set_aside(DAY)) == [worker.shared.worker]
    assert accounts.spent(DAY) == 0
    await worker.return_()
    assert accounts.reserved(DAY) == 2 * WORST
    while worker.open:
        await worker.end(WORST)
    assert accounts.spent(DAY) == 2 * WORST
async def parent():
    assert await worker.begin(DAY)
    worker.cut()
    assert await worker.begin(DAY)
async def main():
    await after()
    await worker.close()
loop = asyncio.new_event_loop()
loop.run_until_complete(parent())
pid = os.fork()
if pid == 0:
    asyncio.run(child())
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
loop.run_until_complete(main())
"""
    done = subprocess.run([sys.executable, "-c", code, redis_server.url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_only_a_newer_grant_raises_an_allowance() -> None:
    """One that was given up stays so until Redis grants anew, and while something is untold nothing changes."""
    allowances = Allowances()
    allowances.record([STATE], [("100", "7", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 100
    assert allowances.amount(DAY, 10, 51.0) == 0, "its time is over"
    assert allowances.amount(DAY, 4_000_000_001, 50.5) == 0, "its window is over"
    assert allowances.give_up() == [("b:0-4000000000:total", 7)]
    allowances.record([STATE], [("100", "7", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 0
    allowances.record([STATE], [("80", "9", "1000")], 50.0)
    allowances.frozen = True
    allowances.record([STATE], [("500", "11", "1000")], 50.0)
    assert allowances.amount(DAY, 10, 50.5) == 80
    assert allowances.give_up() == []


def test_allowances_are_bounded() -> None:
    """Those of too many accounts are to be given back, the least recently told first; one that was granted again
    meanwhile is kept, and of twice as many they are dropped."""
    allowances = Allowances(2)

    def record(number: int, version: int) -> None:
        claim = BudgetClaim(policy="user", key=f"u{number}", limit=9, rolling_s=60)
        state = BudgetState(claim=claim, spent=0, reserved=0, start=0, end=1)
        allowances.record([state], [("1", str(version), "9")], 0.0)

    for number in range(4):
        record(number, 1)
    record(0, 1)
    given = allowances.give_up(allowances.excess)
    assert given == [("b:r60:u1", 1), ("b:r60:u2", 1)]
    record(2, 2)
    allowances.forget(given)
    assert [name for name, _ in allowances.give_up()] == ["b:r60:u3", "b:r60:u0", "b:r60:u2"]
    for number in range(1000):
        record(number, 3)
    assert len(allowances) == 4
