"""What an answer costs, in USD, exactly: Decimal in, Decimal out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from turnout.outcome import Usage

MILLION = Decimal(1_000_000)
FREE = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One model's price in USD per million tokens. `cached` is that of prompt tokens read from the
    provider's own prompt cache; None: as `input`. Reasoning tokens are output tokens (OpenAI counts
    them inside `completion_tokens`)."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None

    def cost(self, usage: Usage) -> Decimal:
        """What these tokens cost, in USD."""
        cached_rate = self.input if self.cached is None else self.cached
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        fresh = usage.prompt_tokens - cached
        return (fresh * self.input + cached * cached_rate + usage.completion_tokens * self.output) / MILLION

    def worst_case(self, prompt_tokens: int, output_tokens: int) -> Decimal:
        """The most that a call with at most these many tokens can cost, in USD."""
        dearest_input = self.input if self.cached is None else max(self.input, self.cached)
        return (prompt_tokens * dearest_input + output_tokens * self.output) / MILLION


def total(costs: Iterable[Decimal]) -> Decimal:
    """The sum as a Decimal, 0 for none."""
    return sum(costs, FREE)
