"""A model's concurrency cap and its waiting room: slots go to the users who wait in turn, each user's oldest first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

Waiter = asyncio.Future[bool]


class ConcurrencyLimit:
    """`most` calls at once and `waiting` more that wait for their turn. For one event loop."""

    def __init__(self, *, most: int, waiting: int) -> None:
        self._most = most
        self._max_waiting = waiting
        # By user; the one whose turn is next stands first. None is empty.
        self._queues: OrderedDict[str, deque[Waiter]] = OrderedDict()
        self.waiting = 0
        self.taken = 0

    def take_now(self) -> bool:
        """Takes a slot that is free at once, where nobody waits for it already."""
        if self.waiting or self.taken >= self._most:
            return False
        self.taken += 1
        return True

    async def take(self, user: str = "") -> bool:
        """Takes a slot, waiting for one; False where there is no place to wait, or when it is turned away.

        Where all places are taken, whoever came last of the user with most of them gives way to a user with fewer.
        """
        if self.take_now():
            return True
        if self.waiting >= self._max_waiting and not self._make_room(user):
            return False
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._queues.setdefault(user, deque()).append(waiter)
        self.waiting += 1
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # The slot was handed over in the very moment of leaving.
                self.give()
            elif waiter in self._queues.get(user, ()):
                self._remove(user, waiter)
            raise

    def give(self) -> None:
        """Gives a slot back: to the user whose turn it is, whose next turn comes after all others'."""
        while self._queues:
            user, queue = next(iter(self._queues.items()))
            waiter = queue[0]
            self._queues.move_to_end(user)
            self._remove(user, waiter)
            if not waiter.done():
                # The slot passes on; `taken` stays.
                waiter.set_result(True)
                return
        self.taken -= 1

    def turn_away(self) -> None:
        """Empties the waiting room: there is nothing to wait for any more."""
        queues, self._queues, self.waiting = self._queues, OrderedDict(), 0
        for queue in queues.values():
            for waiter in queue:
                if not waiter.done():
                    waiter.set_result(False)

    def _make_room(self, user: str) -> bool:
        if not self._queues:
            return False
        greediest = max(self._queues, key=lambda name: len(self._queues[name]))
        queue = self._queues[greediest]
        if len(queue) <= len(self._queues.get(user, ())) + 1:
            return False
        waiter = queue[-1]
        self._remove(greediest, waiter)
        if not waiter.done():
            waiter.set_result(False)
        return True

    def _remove(self, user: str, waiter: Waiter) -> None:
        queue = self._queues[user]
        queue.remove(waiter)
        self.waiting -= 1
        if not queue:
            del self._queues[user]
