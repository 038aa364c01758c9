"""Turns of the event loop: the steps of two tasks in each, and what else there is to do between."""

from __future__ import annotations

import asyncio

from turnout.loop_turns import LoopTurns


def test_tasks_that_come_at_once_take_their_turns_by_twos() -> None:
    """In the order in which they came; another request's step comes between any three."""
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

        await asyncio.gather(beside(), *(one(number) for number in range(7)))

    asyncio.run(run())
    numbers = [step for step in steps if step != "other"]
    assert numbers == [0, 1, 2, 3, 4, 5, 6]
    assert all("other" in some for some in zip(steps, steps[1:], steps[2:], strict=False))


def test_who_leaves_while_it_waits_takes_nobody_elses_turn() -> None:
    """A caller that hangs up in the line does not end it."""

    async def run() -> None:
        turns = LoopTurns()
        tasks = [asyncio.create_task(turns.take()) for _ in range(7)]
        await tasks[0]
        for leaving in tasks[2:6]:
            leaving.cancel()
        async with asyncio.timeout(5):
            await tasks[6]

    asyncio.run(run())


def test_a_loop_that_ended_takes_no_turn_along() -> None:
    """Tests and commands run one loop after the other."""
    turns, first = LoopTurns(), asyncio.new_event_loop()

    async def ends_within_its_turn() -> None:
        for _ in range(2):
            await turns.take()
        first.stop()

    async def later() -> None:
        async with asyncio.timeout(5):
            for _ in range(3):
                await turns.take()

    task = first.create_task(ends_within_its_turn())
    first.run_forever()
    first.close()
    assert task.done()
    asyncio.run(later())


def test_loops_that_run_at_once_take_turns_of_their_own() -> None:
    """A framework may have one for each request; those who wait on one stay in line when another begins."""
    turns, first, second = LoopTurns(), asyncio.new_event_loop(), asyncio.new_event_loop()

    async def several() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*(turns.take() for _ in range(9)))

    task = first.create_task(several())
    for _ in range(3):
        first.call_soon(first.stop)
        first.run_forever()
    assert not task.done()
    second.run_until_complete(several())
    first.run_until_complete(task)
    first.close()
    second.close()
