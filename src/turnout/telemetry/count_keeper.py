"""Hands what is counted to the store."""

from __future__ import annotations

from turnout.ports.counting import CounterStore
from turnout.telemetry.counters import Counters


class CountKeeper:
    """Hands what the counters count to the store; what the store cannot be given now is given later."""

    def __init__(self, counters: Counters, store: CounterStore) -> None:
        self.counters = counters
        self.store = store

    @property
    def reachable(self) -> bool:
        """Whether the store has all that it was handed."""
        return self.store.reachable

    async def flush_all(self) -> bool:
        """As `flush`. Returns whether there is something left to hand on: a tick."""
        await self.flush()
        return bool(self.counters.pending)

    async def forget(self, user_key: str, spender: str) -> None:
        """Forgets a user: see CounterStore."""
        await self.flush()
        await self.store.forget(user_key, spender)

    async def flush(self) -> bool:
        """Adds what was counted. Returns whether the store has it all."""
        taken = self.counters.take()
        if not taken:
            return True
        added = await self.store.add(taken)
        if not added:
            self.counters.give_back(taken)
        return added
