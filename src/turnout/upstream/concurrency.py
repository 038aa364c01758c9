"""A model's concurrency cap and its waiting room: first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque


class ConcurrencyLimit:
    """`most` calls at once and `waiting` more that wait for their turn. For one event loop."""

    def __init__(self, *, most: int, waiting: int) -> None:
        self._most = most
        self._max_waiting = waiting
        self._queue: deque[asyncio.Future[bool]] = deque()
        self.taken = 0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def take_now(self) -> bool:
        """Takes a slot that is free at once, where nobody waits for it already."""
        if self._queue or self.taken >= self._most:
            return False
        self.taken += 1
        return True

    async def take(self) -> bool:
        """Takes a slot, waiting for one; False where as many wait already as may, or when all are turned away."""
        if self.take_now():
            return True
        if len(self._queue) >= self._max_waiting:
            return False
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # The slot was handed over in the very moment of leaving.
                self.give()
            elif waiter in self._queue:
                self._queue.remove(waiter)
            raise

    def give(self) -> None:
        """Gives a slot back: to whoever has waited longest."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                # The slot passes on; `taken` stays.
                waiter.set_result(True)
                return
        self.taken -= 1

    def turn_away(self) -> None:
        """Empties the waiting room: there is nothing to wait for any more."""
        queue, self._queue = self._queue, deque()
        for waiter in queue:
            if not waiter.done():
                waiter.set_result(False)
