"""The stores that the settings ask for: the process' own, or Redis with the process' own behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from turnout.ports import Alone, Clock, Gate, Relay, Shelf, Switchboard, Tally
from turnout.settings import Redis, Settings
from turnout.stores.memory import MemoryGate, MemorySwitchboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every store port. They share what is behind them; closing the gate closes it."""

    gate: Gate
    relay: Relay
    shelf: Shelf
    switchboard: Switchboard
    # None: this process has nobody to keep a share with.
    tally: Tally | None
    # Opens what takes a while, so that no request waits for it; never raises.
    open: Callable[[], Awaitable[None]]


def stores_of(settings: Settings, clock: Clock, told: Callable[[bool, str], None]) -> Stores:
    """What the settings ask for. `told(up, why)` hears when Redis is lost and found."""
    if settings.redis is not None:
        return _redis(settings, settings.redis, clock, told)
    gate = _memory_gate(settings, clock)
    board = MemorySwitchboard(clock=clock)
    return Stores(gate=gate, relay=Alone(), shelf=gate, switchboard=board, tally=None, open=_nothing)


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
    from turnout.stores.redis import Bounds, RedisGate
    from turnout.stores.relay import RedisRelay
    from turnout.stores.resilient import ResilientGate
    from turnout.stores.seats import Seats
    from turnout.stores.switchboard import RedisSwitchboard
    from turnout.stores.tally import RedisTally

    seats = Seats(url=redis.url, prefix=redis.prefix, timeout_s=redis.timeout_s)
    bounds = Bounds(max_entries=settings.cache.max_entries, max_bytes=settings.cache.max_bytes)
    gate = ResilientGate(
        shared=RedisGate(seats, bounds),
        relay=RedisRelay(seats),
        local=lambda: _memory_gate(settings, clock),
        clock=clock,
        budgets_local=settings.budgets.on_outage == "local",
        told=told,
    )
    return Stores(
        gate=gate,
        relay=gate,
        shelf=gate,
        switchboard=RedisSwitchboard(seats),
        tally=RedisTally(seats),
        open=gate.open,
    )
