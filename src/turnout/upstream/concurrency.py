"""A model's concurrency cap and its waiting room: slots go to the users who wait in turn, each user's oldest first; to
jobs only where no request waits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

Waiter = asyncio.Future[bool]
# By user; the one whose turn is next stands first. None is empty.
Queues = OrderedDict[str, deque[Waiter]]


class ConcurrencyLimit:
    """`most` calls at once and `waiting` more that wait for their turn. For one event loop."""

    def __init__(self, *, most: int, waiting: int) -> None:
        self._most = most
        self._max_waiting = waiting
        self._requests: Queues = OrderedDict()
        self._jobs: Queues = OrderedDict()
        self.waiting = 0
        self.taken = 0

    @property
    def requests_wait(self) -> bool:
        """Whether anybody waits who is no job."""
        return bool(self._requests)

    @property
    def is_busy(self) -> bool:
        """Whether half of its slots are taken, or anybody waits for one."""
        return bool(self.waiting) or 2 * self.taken >= self._most

    def take_now(self) -> bool:
        """Takes a slot that is free at once, where nobody waits for it already."""
        if self.waiting or self.taken >= self._most:
            return False
        self.taken += 1
        return True

    async def take(self, user: str = "", *, job: bool = False) -> bool:
        """Takes a slot, waiting for one; False where there is no place to wait, or when it is turned away.

        Where all places are taken, whoever came last of the user with most of them gives way to a user with fewer, and
        any job to a request.
        """
        if self.take_now():
            return True
        if self.waiting >= self._max_waiting and not self._make_room(user, job=job):
            return False
        queues = self._jobs if job else self._requests
        waiter: Waiter = asyncio.get_running_loop().create_future()
        queues.setdefault(user, deque()).append(waiter)
        self.waiting += 1
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                # The slot was handed over in the very moment of leaving.
                self.give()
            elif waiter in queues.get(user, ()):
                self._remove(queues, user, waiter)
            raise

    def give(self) -> None:
        """Gives a slot back: to the user whose turn it is, whose next turn comes after all others'."""
        while queues := self._requests or self._jobs:
            user, queue = next(iter(queues.items()))
            waiter = queue[0]
            queues.move_to_end(user)
            self._remove(queues, user, waiter)
            if not waiter.done():
                # The slot passes on; `taken` stays.
                waiter.set_result(True)
                return
        self.taken -= 1

    def turn_away(self) -> None:
        """Empties the waiting room: there is nothing to wait for any more."""
        waiters = [waiter for queues in (self._requests, self._jobs) for queue in queues.values() for waiter in queue]
        self._requests, self._jobs, self.waiting = OrderedDict(), OrderedDict(), 0
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(False)

    def _make_room(self, user: str, *, job: bool) -> bool:
        # A request takes any job's place.
        queues = self._jobs if job or self._jobs else self._requests
        if not queues:
            return False
        greediest = max(queues, key=lambda name: len(queues[name]))
        queue = queues[greediest]
        own = self._jobs if job else self._requests
        if queues is own and len(queue) <= len(queues.get(user, ())) + 1:
            return False
        waiter = queue[-1]
        self._remove(queues, greediest, waiter)
        if not waiter.done():
            waiter.set_result(False)
        return True

    def _remove(self, queues: Queues, user: str, waiter: Waiter) -> None:
        queue = queues[user]
        queue.remove(waiter)
        self.waiting -= 1
        if not queue:
            del queues[user]
