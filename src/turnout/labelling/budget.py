"""A budget for one piece of work: the worst case is held before a call, the real cost settled after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from turnout.openai.messages import Message, canonical_json, count_images
from turnout.pricing import FREE, Price, total
from turnout.records import Attempt

# What a chat format adds around each message, and around all: OpenAI's own counts are 3 to 4 tokens and 3.
MESSAGE_TOKENS = 16
# A request that was never sent, and errors that a provider answers instead of working; any other attempt may have
# been billed though it told nothing.
NEVER_BILLED = frozenset({"rate_limited", "provider_error", "misconfigured", "caller_fault", "not_connected"})


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
        """Waits while what others hold may come back. Raises PurseEmpty."""
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


def most_tokens(messages: Sequence[Message]) -> int | None:
    """No tokenizer makes more tokens than there are bytes. None for images, whose tokens nobody can bound here."""
    if count_images(messages):
        return None
    return len(canonical_json(list(messages))) + MESSAGE_TOKENS * (len(messages) + 1)


def billed(attempts: Sequence[Attempt], price: Price | None, prompt_tokens: int, output_tokens: int) -> Decimal:
    """What these attempts cost; the worst case for those that may have been billed and told no usage."""
    if price is None:
        return FREE
    worst = price.worst_case(prompt_tokens, output_tokens)
    return total(
        attempt.cost_usd if attempt.usage is not None else FREE if attempt.error in NEVER_BILLED else worst
        for attempt in attempts
    )
