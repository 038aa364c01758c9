"""The stores that the settings ask for: the process' own, or Redis with the process' own behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from turnout.ports.admission import CacheAdmin, Gate
from turnout.ports.runtime import Clock
from turnout.ports.sharing import CircuitStore, FlightBroker, LocalFlightBroker, ShareStore
from turnout.settings import Redis, Settings
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.stores.memory.gate import MemoryGate


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every store port. They share what is behind them; closing the gate closes it."""

    gate: Gate
    flight_broker: FlightBroker
    cache_admin: CacheAdmin
    circuit_store: CircuitStore
    # None: this process has nobody to keep a share with.
    share_store: ShareStore | None
    # Opens what takes a while, so that no request waits for it; never raises.
    open: Callable[[], Awaitable[None]]


def stores_from(settings: Settings, clock: Clock, told: Callable[[bool, str], None]) -> Stores:
    """What the settings ask for. `told(up, why)` hears when Redis is lost and found."""
    if settings.redis is not None:
        return _redis(settings, settings.redis, clock, told)
    gate = _memory_gate(settings, clock)
    board = MemoryCircuitStore(clock=clock)
    return Stores(
        gate=gate,
        flight_broker=LocalFlightBroker(),
        cache_admin=gate,
        circuit_store=board,
        share_store=None,
        open=_nothing,
    )


async def _nothing() -> None:
    return None


def _memory_gate(settings: Settings, clock: Clock) -> MemoryGate:
    return MemoryGate(
        clock=clock,
        max_entries=settings.cache.max_entries,
        max_bytes=settings.cache.max_bytes,
        lease_s=settings.retry.lease_s(stream=True),
    )


def _redis(settings: Settings, redis: Redis, clock: Clock, told: Callable[[bool, str], None]) -> Stores:
    # Imported here: redis-py takes a tenth of a second, and most processes have no Redis.
    from turnout.stores.failover import FailoverGate
    from turnout.stores.redis.circuit_store import RedisCircuitStore
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.gate import Bounds, RedisGate
    from turnout.stores.redis.relay import RedisFlightBroker
    from turnout.stores.redis.share_store import RedisShareStore

    seats = RedisClient(url=redis.url, prefix=redis.prefix, timeout_s=redis.timeout_s)
    bounds = Bounds(max_entries=settings.cache.max_entries, max_bytes=settings.cache.max_bytes)
    gate = FailoverGate(
        shared=RedisGate(seats, bounds),
        flight_broker=RedisFlightBroker(seats),
        local=lambda: _memory_gate(settings, clock),
        clock=clock,
        budgets_local=settings.budgets.on_outage == "local",
        told=told,
    )
    return Stores(
        gate=gate,
        flight_broker=gate,
        cache_admin=gate,
        circuit_store=RedisCircuitStore(seats),
        share_store=RedisShareStore(seats),
        open=gate.open,
    )
