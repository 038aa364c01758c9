"""What an answer costs, in USD, exactly: Decimal in, Decimal out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from turnout.records import Usage

MILLION = Decimal(1_000_000)
NANO = Decimal(1_000_000_000)
FREE = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One model's price in USD per million tokens.

    cached, written: of prompt tokens read from, or written to, the provider's own prompt cache; None: as
    `input`. reasoning: of output tokens spent on thinking (OpenAI counts them inside `completion_tokens`);
    None: as `output`. above: other prices for a whole call whose prompt has more than so many tokens.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    written: Decimal | None = None
    reasoning: Decimal | None = None
    above: tuple[tuple[int, Price], ...] = ()

    def cost(self, usage: Usage) -> Decimal:
        """What these tokens cost, in USD."""
        return self._at(usage.prompt_tokens)._cost(usage)

    def _cost(self, usage: Usage) -> Decimal:
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        written = min(usage.written_tokens, usage.prompt_tokens - cached)
        reasoning = min(usage.reasoning_tokens, usage.completion_tokens)
        return (
            (usage.prompt_tokens - cached - written) * self.input
            + cached * _or(self.cached, self.input)
            + written * _or(self.written, self.input)
            + (usage.completion_tokens - reasoning) * self.output
            + reasoning * _or(self.reasoning, self.output)
        ) / MILLION

    def worst_case(self, prompt_tokens: int, output_tokens: int) -> Decimal:
        """The most that a call with at most these many tokens can cost, in USD."""
        prices = [self, *(price for tokens, price in self.above if prompt_tokens > tokens)]
        return max(price._worst(prompt_tokens, output_tokens) for price in prices)

    def _worst(self, prompt_tokens: int, output_tokens: int) -> Decimal:
        dearest_input = max(self.input, _or(self.cached, self.input), _or(self.written, self.input))
        dearest_output = max(self.output, _or(self.reasoning, self.output))
        return (prompt_tokens * dearest_input + output_tokens * dearest_output) / MILLION

    def _at(self, prompt_tokens: int) -> Price:
        return next((price for tokens, price in reversed(self.above) if prompt_tokens > tokens), self)


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


def total(costs: Iterable[Decimal]) -> Decimal:
    """The sum as a Decimal, 0 for none."""
    return sum(costs, FREE)


def nano(usd: Decimal) -> int:
    """USD as whole nano-USD, rounded up: what stores count in."""
    return int((usd * NANO).to_integral_value(ROUND_CEILING))


def usd(nanos: int) -> Decimal:
    """Whole nano-USD as USD, exactly."""
    return Decimal(nanos) / NANO
