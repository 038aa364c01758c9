"""Pins of conversations: kept for a time since the last turn, found on the round trip that is made anyway, purged."""

from __future__ import annotations

from typing import cast

from tests.stores.contract.conftest import Bench, Run
from turnout.ports.admission import Ask, CacheAdmin, Gate, Lead, PinUpdate, Settlement, StoredPin

STILL = True


def pin(key: str, packed: bytes = b"p", user: str = "user:ann") -> PinUpdate:
    return PinUpdate(key=key, packed=packed, ttl_s=60.0, user=user)


async def keep(gate: Gate, update: PinUpdate) -> None:
    entry = await gate.enter(Ask())
    assert isinstance(entry.verdict, Lead)
    await gate.leave(Settlement(key=None, lease=entry.verdict.lease, pin=update))


async def find(gate: Gate, key: str) -> StoredPin | None:
    return (await gate.enter(Ask(pin=key))).pin


def test_a_pin_is_found_with_its_age(run: Run) -> None:
    """Under its own key alone; any bytes."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await keep(gate, pin("one", b"\x00\xff"))
        await bench.pass_time(5)
        assert await find(gate, "one") == StoredPin(packed=b"\x00\xff", age_s=5.0)
        assert await find(gate, "two") is None

    run(scenario)


def test_its_time_begins_anew_with_each_turn(run: Run) -> None:
    """And ends after that."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        for packed in (b"1", b"2"):
            await keep(gate, pin("one", packed))
            await bench.pass_time(50)
        assert await find(gate, "one") == StoredPin(packed=b"2", age_s=50.0)
        await bench.pass_time(10)
        assert await find(gate, "one") is None

    run(scenario)


def test_purging_a_user_takes_its_pins(run: Run) -> None:
    """Another's stay; purging by endpoint takes none; purging all takes all."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        admin = cast(CacheAdmin, gate)
        for key, user in (("a", "user:ann"), ("b", "user:bob")):
            await keep(gate, pin(key, user=user))
        await admin.purge(endpoint="/ask")
        await admin.purge(user="user:ann")
        assert await find(gate, "a") is None
        assert await find(gate, "b") is not None
        await admin.purge()
        assert await find(gate, "b") is None

    run(scenario)
