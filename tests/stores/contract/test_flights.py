"""Flights: one leads, the others follow it until it leaves; a lease that nobody keeps alive ends."""

from __future__ import annotations

from tests.stores.contract.conftest import Bench, Run
from tests.stores.contract.test_answers import KEY, lead, store
from turnout.ports.admission import Ask, Follow, Gate, Hit, Lead, Settlement


def test_one_leads_and_the_others_follow(run: Run) -> None:
    """They learn whose call it is; a request that will not share makes its own."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first = await lead(gate)
        follow = (await gate.enter(Ask(key=KEY))).verdict
        assert follow == Follow(lease=first.lease)
        assert isinstance((await gate.enter(Ask(key=KEY, collapse=False))).verdict, Lead)
        assert isinstance((await gate.enter(Ask(key=bytes(16)))).verdict, Lead)

    run(scenario)


def test_the_flight_ends_when_its_leader_leaves(run: Run) -> None:
    """With an answer the next one is a hit; without, the next one leads."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        await gate.leave(Settlement(key=KEY, lease=(await lead(gate)).lease))
        again = await lead(gate)
        await gate.leave(Settlement(key=KEY, lease=again.lease, store=store()))
        assert isinstance((await gate.enter(Ask(key=KEY))).verdict, Hit)

    run(scenario)


def test_whoever_does_not_hold_the_flight_does_not_end_it(run: Run) -> None:
    """A call made apart stores its answer and leaves the flight to its leader."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first = await lead(gate)
        apart = (await gate.enter(Ask(key=KEY, collapse=False))).verdict
        assert isinstance(apart, Lead)
        await gate.leave(Settlement(key=KEY, lease=apart.lease))
        assert (await gate.enter(Ask(key=KEY))).verdict == Follow(lease=first.lease)

    run(scenario)


def test_a_lease_that_nobody_keeps_alive_ends(run: Run) -> None:
    """A flight that died with its process does not block its key."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        dead = await lead(gate)
        await bench.pass_time(721)
        heir = await lead(gate)
        # The dead one's late word changes nothing of its heir's.
        await gate.leave(Settlement(key=KEY, lease=dead.lease))
        assert (await gate.enter(Ask(key=KEY))).verdict == Follow(lease=heir.lease)

    run(scenario)


def test_leaving_twice_is_leaving_once(run: Run) -> None:
    """A settlement that is made again ends nobody else's flight."""

    async def scenario(bench: Bench, gate: Gate) -> None:
        first = await lead(gate)
        await gate.leave(Settlement(key=KEY, lease=first.lease))
        second = await lead(gate)
        await gate.leave(Settlement(key=KEY, lease=first.lease))
        assert (await gate.enter(Ask(key=KEY))).verdict == Follow(lease=second.lease)

    run(scenario)
