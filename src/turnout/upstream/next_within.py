"""The next item of a stream, inside a time limit that is set only where the item is not here yet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def next_within(items: AsyncGenerator[T, None], limit: Callable[[], AbstractAsyncContextManager[Any]]) -> T:
    """The next item. limit: gives the block that bounds the waiting for it. Raises StopAsyncIteration after the last.

    Setting and clearing a timer costs as much as all the rest of a chunk, and most chunks come several in a packet.
    """
    step = items.__anext__().__await__()
    try:
        pending = next(step)
    except StopIteration as ready:
        item: T = ready.value
        return item
    async with limit():
        return await _finish(step, pending)


@coroutine
def _finish(step: Generator[Any, Any, T], pending: Any) -> Generator[Any, Any, T]:
    """Awaits a step that has begun. pending: what it has handed to the event loop."""
    try:
        while True:
            try:
                result = yield pending
            except BaseException as error:
                pending = step.throw(error)
            else:
                pending = step.send(result)
    except StopIteration as done:
        item: T = done.value
        return item
