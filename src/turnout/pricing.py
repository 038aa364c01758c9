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
    `input`. long_written: of those that are kept for an hour; None: as `written`. reasoning: of output tokens spent on
    thinking (OpenAI counts them inside `completion_tokens`); None: as `output`. audio, image: of prompt tokens; spoken,
    drawn: of output tokens, as sound and as pictures; None: as any. search: of one web search, in USD.
    above: other prices for a whole call whose prompt has more than so many tokens. service_tiers: other prices for a
    call that the provider served in this way (`flex`, `priority`). reported: its provider tells what it charges for
    each call, and that counts.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    written: Decimal | None = None
    long_written: Decimal | None = None
    reasoning: Decimal | None = None
    audio: Decimal | None = None
    image: Decimal | None = None
    spoken: Decimal | None = None
    drawn: Decimal | None = None
    search: Decimal | None = None
    above: tuple[tuple[int, Price], ...] = ()
    service_tiers: tuple[tuple[str, Price], ...] = ()
    reported: bool = False

    def charged(self, usage: Usage, reported_usd: Decimal | None) -> Decimal:
        """What a call is charged, in USD: what its provider says where that counts, else what its tokens cost."""
        return reported_usd if self.reported and reported_usd is not None else self.cost(usage)

    def cost(self, usage: Usage) -> Decimal:
        """What these tokens cost, in USD."""
        served = dict(self.service_tiers).get(usage.service_tier, self) if usage.service_tier else self
        return served._at(usage.prompt_tokens)._cost(usage)

    def _cost(self, usage: Usage) -> Decimal:
        written = _or(self.written, self.input)
        prompt = _parts(
            usage.prompt_tokens,
            self.input,
            (usage.cached_tokens, _or(self.cached, self.input)),
            (usage.long_written_tokens, _or(self.long_written, written)),
            (usage.written_tokens - usage.long_written_tokens, written),
            (usage.audio_tokens, _or(self.audio, self.input)),
            (usage.image_tokens, _or(self.image, self.input)),
        )
        output = _parts(
            usage.completion_tokens,
            self.output,
            (usage.reasoning_tokens, _or(self.reasoning, self.output)),
            (usage.spoken_tokens, _or(self.spoken, self.output)),
            (usage.drawn_tokens, _or(self.drawn, self.output)),
        )
        return (prompt + output) / MILLION + usage.searches * _or(self.search, FREE)

    def worst_case(
        self,
        prompt_tokens: int,
        output_tokens: int,
        *,
        media: bool = False,
        long_written: bool = False,
        service_tier: str = "",
    ) -> Decimal:
        """The most that a call with at most these many tokens can cost, in USD: nothing read from a cache, all of it
        written. media: the prompt may hold sound or images. long_written: the caller asks for an hour's cache.
        service_tier: that is asked for; it may be served in the usual way all the same."""
        ways = [self, *(price for name, price in self.service_tiers if name == service_tier)]
        prices = [*ways, *(price for way in ways for tokens, price in way.above if prompt_tokens > tokens)]
        return max(price._worst(prompt_tokens, output_tokens, media, long_written) for price in prices)

    def _worst(self, prompt_tokens: int, output_tokens: int, media: bool, long_written: bool) -> Decimal:
        rates = [self.input, self.cached, self.written]
        rates += [self.audio, self.image] if media else []
        rates += [self.long_written] if long_written else []
        dearest_input = max(rate for rate in rates if rate is not None)
        dearest_output = max(self.output, _or(self.reasoning, self.output))
        return (prompt_tokens * dearest_input + output_tokens * dearest_output) / MILLION

    def _at(self, prompt_tokens: int) -> Price:
        return next((price for tokens, price in reversed(self.above) if prompt_tokens > tokens), self)


def _parts(tokens: int, rate: Decimal, *parts: tuple[int, Decimal]) -> Decimal:
    """What so many tokens cost where some of them have a rate of their own; the parts are never more than the whole."""
    cost, left = FREE, tokens
    for count, own_rate in parts:
        if count > 0:
            count = min(count, left)
            cost += count * own_rate
            left -= count
    return cost + left * rate


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
