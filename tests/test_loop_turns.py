"""Turns of the event loop: one task's step in each, and what else there is to do between."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from turnout.loop_turns import LoopTurns


def test_tasks_that_come_at_once_take_their_turns_one_by_one() -> None:
    """In the order in which they came; another request's step comes between any two."""
    steps: list[int | str] = []

    async def run() -> None:
        turns = LoopTurns()

        async def one(number: int) -> None:
            await turns.take()
            steps.append(number)

        async def beside() -> None:
            while len(steps) < 15:
                steps.append("other")
                await asyncio.sleep(0)

        await asyncio.gather(beside(), *(one(number) for number in range(5)))

    asyncio.run(run())
    numbers = [step for step in steps if step != "other"]
    assert numbers == [0, 1, 2, 3, 4]
    assert all("other" in pair for pair in pairwise(steps))


def test_who_leaves_while_it_waits_takes_nobody_elses_turn() -> None:
    """A caller that hangs up in the line does not end it."""

    async def run() -> None:
        turns = LoopTurns()
        first, second, third = (asyncio.create_task(turns.take()) for _ in range(3))
        await first
        second.cancel()
        async with asyncio.timeout(5):
            await third

    asyncio.run(run())


def test_a_loop_that_ended_takes_no_turn_along() -> None:
    """Tests and commands run one loop after the other."""
    turns, first = LoopTurns(), asyncio.new_event_loop()

    async def ends_within_its_turn() -> None:
        await turns.take()
        first.stop()

    async def later() -> None:
        async with asyncio.timeout(5):
            await turns.take()

    task = first.create_task(ends_within_its_turn())
    first.run_forever()
    first.close()
    assert task.done()
    asyncio.run(later())
