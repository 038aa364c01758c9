"""A budget for one piece of work: the worst case is held before a call, the real cost settled after it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from turnout.pricing import FREE


class LabelBudgetSpent(Exception):
    """What is wanted does not fit, and nothing that is held may come back."""


class LabelBudget:
    """limit: in USD; None: no end. Never more than the limit is held and spent together, what was spent before
    included. One event loop's."""

    def __init__(self, limit: Decimal | None, spent: Decimal = FREE) -> None:
        self.limit = limit
        self.spent = spent
        self.held = FREE
        self._settled = asyncio.Condition()

    def _fits(self, worst: Decimal) -> bool:
        return self.limit is None or self.spent + self.held + worst <= self.limit

    async def hold(self, worst: Decimal) -> None:
        """Waits while what others hold may come back. Raises LabelBudgetSpent."""
        async with self._settled:
            while not self._fits(worst):
                if not self.held:
                    raise LabelBudgetSpent
                await self._settled.wait()
            self.held += worst

    def top_up(self, more: Decimal) -> bool:
        """Holds more for who holds already, or says that it does not fit. Never waits: who waited for others while
        holding could be what they wait for."""
        if not self._fits(more):
            return False
        self.held += more
        return True

    async def settle(self, worst: Decimal, cost: Decimal) -> None:
        """Gives back what was held, less what it cost."""
        async with self._settled:
            self.held -= worst
            self.spent += cost
            self._settled.notify_all()
