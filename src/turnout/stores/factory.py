"""Builds the stores that the settings ask for: in memory, or in Redis with memory behind it for outages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from turnout.ports.admission import CacheAdmin, Gate
from turnout.ports.counting import CounterStore
from turnout.ports.entries import EntryStore
from turnout.ports.jobs import Jobs
from turnout.ports.runtime import Clock
from turnout.ports.semantic import CheckStore, SemanticStore
from turnout.ports.sharing import CircuitStore, FlightBroker, LocalFlightBroker, ShareStore
from turnout.settings import Redis, Settings
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.stores.memory.counter_store import MemoryCounterStore
from turnout.stores.memory.gate import MemoryGate

if TYPE_CHECKING:
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.sqlite.entries import SqliteEntries


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """An implementation of every store port. They share connections; closing the gate closes them."""

    gate: Gate
    flight_broker: FlightBroker
    cache_admin: CacheAdmin
    entries: EntryStore
    circuit_store: CircuitStore
    # None: no other process shares with this one.
    share_store: ShareStore | None
    counter_store: CounterStore
    # Makes the store of questions for semantic answers, to be closed before the gate; it imports numpy.
    semantic: Callable[[], SemanticStore]
    # None: no other process shares with this one.
    check_store: CheckStore | None
    # Connects, so that no request waits for it; never raises.
    open: Callable[[], Awaitable[None]]
    # Gives what is wrong with them now; "" for nothing. None: nothing can be.
    warning: Callable[[], Awaitable[str]] | None = None


def stores_from(settings: Settings, clock: Clock, on_change: Callable[[bool, str], None]) -> Stores:
    """Returns the stores. on_change(up, reason): called when Redis is lost and when it is back."""
    if settings.redis is not None:
        return _redis_stores(settings, settings.redis, clock, on_change)
    gate = _memory_gate(settings, clock)
    return Stores(
        gate=gate,
        flight_broker=LocalFlightBroker(),
        cache_admin=gate,
        entries=gate,
        circuit_store=MemoryCircuitStore(clock=clock),
        share_store=None,
        counter_store=MemoryCounterStore(clock=clock),
        semantic=partial(_semantic_index, settings),
        check_store=None,
        open=_open_nothing,
    )


async def _open_nothing() -> None:
    return None


def _memory_gate(settings: Settings, clock: Clock) -> MemoryGate:
    return MemoryGate(
        clock=clock,
        max_entries=settings.cache.max_entries,
        max_bytes=settings.cache.max_bytes,
        lease_s=settings.retry.lease_s(stream=True),
    )


def _semantic_index(settings: Settings) -> SemanticStore:
    # Imported here: numpy takes a while, and most apps answer no similar questions.
    from turnout.stores.memory.semantic_store import MemorySemanticStore

    return MemorySemanticStore(max_entries=settings.cache.max_entries)


def _redis_semantic(settings: Settings, client: RedisClient, clock: Clock) -> SemanticStore:
    from turnout.stores.redis.semantic_store import RedisSemanticStore

    return RedisSemanticStore(
        client,
        index=partial(_semantic_index, settings),
        max_entries=settings.cache.max_entries,
        wall=clock.time,
    )


def _redis_stores(settings: Settings, redis: Redis, clock: Clock, on_change: Callable[[bool, str], None]) -> Stores:
    # Imported here: redis-py takes a tenth of a second, and most processes have no Redis.
    from turnout.stores.failover import FailoverGate
    from turnout.stores.redis.check_store import RedisCheckStore
    from turnout.stores.redis.circuit_store import RedisCircuitStore
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.counter_store import RedisCounterStore
    from turnout.stores.redis.gate import Bounds, RedisGate
    from turnout.stores.redis.share_store import RedisShareStore

    client = RedisClient(url=redis.url, prefix=redis.prefix, timeout_s=redis.timeout_s)
    bounds = Bounds(max_entries=settings.cache.max_entries, max_bytes=settings.cache.max_bytes)
    gate = FailoverGate(
        shared=RedisGate(client, bounds, clock.monotonic, spends_alone=settings.budgets.on_outage == "local"),
        local=lambda: _memory_gate(settings, clock),
        clock=clock,
        budgets_local=settings.budgets.on_outage == "local",
        on_change=on_change,
    )
    return Stores(
        gate=gate,
        flight_broker=gate,
        cache_admin=gate,
        entries=gate,
        circuit_store=RedisCircuitStore(client),
        share_store=RedisShareStore(client),
        counter_store=RedisCounterStore(client, clock=clock),
        semantic=partial(_redis_semantic, settings, client, clock),
        check_store=RedisCheckStore(client),
        open=gate.open,
        warning=gate.warning,
    )


def jobs_from(settings: Settings, clock: Clock) -> Jobs:
    """Returns the store of the jobs: Redis where it is set, else the file that the queue names."""
    assert settings.queue is not None
    if settings.redis is not None:
        return _redis_jobs(settings.redis)
    # Imported here: most apps have no queue.
    from turnout.stores.sqlite.jobs import SqliteJobs

    return SqliteJobs(settings.queue.path, clock)


def kept_entries_from(settings: Settings, clock: Clock) -> SqliteEntries | None:
    """Returns the store of kept responses in the jobs' file; None where they lie among the stored answers."""
    if settings.queue is None or settings.redis is not None:
        return None
    from turnout.stores.sqlite.entries import SqliteEntries

    cache = settings.cache
    return SqliteEntries(settings.queue.path, clock, max_entries=cache.max_entries, max_bytes=cache.max_bytes)


def _redis_jobs(redis: Redis) -> Jobs:
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.jobs import RedisJobs

    # Patient: a job is better late than refused.
    return RedisJobs(RedisClient(url=redis.url, prefix=redis.prefix, timeout_s=max(2.0, redis.timeout_s)))
