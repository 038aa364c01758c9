"""Background work: one task on its loop, or many, and none that a loop took along."""

from __future__ import annotations

import asyncio

from turnout.loop_task import BackgroundTasks, LoopTask


def test_a_second_start_joins_the_task_that_runs() -> None:
    """However often it is asked for, it runs once; over, it begins anew."""
    begun: list[int] = []

    async def run() -> None:
        async def work() -> None:
            begun.append(1)
            await go_on.wait()

        go_on = asyncio.Event()
        task = LoopTask(work, "a task")
        assert task.start() is task.start()
        go_on.set()
        await task.start()
        await task.start()

    asyncio.run(run())
    assert len(begun) == 2


def test_a_task_of_a_loop_that_is_gone_is_begun_anew() -> None:
    """Such a task never ends; stopping it would wait for ever."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)
        await asyncio.Event().wait()

    task = LoopTask(work, "a task")

    async def start() -> None:
        task.start()
        await asyncio.sleep(0)

    first = asyncio.new_event_loop()
    first.run_until_complete(start())

    async def start_and_stop() -> None:
        await start()
        await task.stop()

    asyncio.run(start_and_stop())
    assert len(begun) == 2
    first.run_until_complete(_cancel_all())
    first.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def test_stopping_lets_it_end_by_itself_first() -> None:
    """A report that is under way gets out."""
    ended: list[bool] = []

    async def run() -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            ended.append(True)

        task = LoopTask(work, "a task")
        task.start()
        await task.stop(patience_s=5.0)

    asyncio.run(run())
    assert ended == [True]


def test_draining_waits_for_what_the_work_began_too() -> None:
    """And for no work of another loop, which would never end here."""
    ended: list[str] = []
    tasks = BackgroundTasks("work")

    async def further() -> None:
        ended.append("further")

    async def work() -> None:
        await asyncio.sleep(0)
        tasks.start(further())
        ended.append("work")

    async def begin() -> None:
        tasks.start(asyncio.Event().wait())

    other = asyncio.new_event_loop()
    other.run_until_complete(begin())

    async def run() -> None:
        tasks.start(work())
        await tasks.drain()

    asyncio.run(run())
    assert ended == ["work", "further"]
    other.run_until_complete(_cancel_all())
    other.close()
