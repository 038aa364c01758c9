"""What labelling needs of the models: one answer of one named model, what asking cost, and why none came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from turnout.openai.messages import Message
from turnout.pricing import FREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """cost_usd: of the attempt that answered; None where the model has no price. spent_usd: of all attempts.
    cut: the answer ran into the limit of tokens."""

    text: str
    cost_usd: Decimal | None = None
    spent_usd: Decimal = FREE
    cut: bool = False


class AskFailed(Exception):
    """No answer; the message says why, and names the model. spent_usd: what was spent without an answer."""

    def __init__(self, message: str, spent_usd: Decimal = FREE) -> None:
        super().__init__(message)
        self.spent_usd = spent_usd


class RowFailed(AskFailed):
    """This row cannot be labelled; others can."""


class Outage(AskFailed):
    """The model takes no calls for a while, or gave no answer to this one though it should have.

    called: whether it was called at all, not only its circuit. wait_s: until it may be worth asking again.
    """

    def __init__(self, message: str, spent_usd: Decimal = FREE, *, called: bool = True, wait_s: float = 0.0) -> None:
        super().__init__(message, spent_usd)
        self.called = called
        self.wait_s = wait_s


class ModelRefused(AskFailed):
    """The model answers nobody until its user mends what the message says: a key, a name, an address."""


# Asks this model these messages, for an answer of at most so many tokens. Raises AskFailed.
AskModel = Callable[[str, Sequence[Message], int], Awaitable[Answer]]


class LabellingModels(Protocol):
    """The way to the models. Costs in USD."""

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        """Raises RowFailed, Outage or ModelRefused."""
        ...

    def wait_s(self, model: str) -> float:
        """Seconds until the model may be asked; 0 where it may be now."""
        ...

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        """The most that one call may cost; None where the model has no price."""
        ...

    def likely(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        """What one answer of these many tokens costs; None where the model has no price."""
        ...
