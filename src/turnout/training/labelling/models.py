"""What labelling needs of the models: one answer of one named model, and what asking cost, answered or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from turnout.messages import Message
from turnout.pricing import FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """cost_usd: of the attempt that answered; None where the model has no price. spent_usd: of all attempts.
    cut: the answer ran into the limit of tokens."""

    text: str
    cost_usd: Decimal | None = None
    spent_usd: Decimal = FREE
    cut: bool = False


class RowFailed(Exception):
    """This row cannot be labelled; the message says why. spent_usd: what was spent in vain."""

    def __init__(self, message: str, spent_usd: Decimal = FREE) -> None:
        super().__init__(message)
        self.spent_usd = spent_usd


class Models(Protocol):
    """The way to the models. Costs in USD."""

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        """Raises RowFailed."""
        ...

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        """The most that one ask may cost, all its retries included; None where the model has no price."""
        ...

    def likely(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        """What one answer of these many tokens costs; None where the model has no price."""
        ...
