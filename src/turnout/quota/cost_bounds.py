"""What a call may cost at the most, and what its attempts did cost. Pure: prices and records in, amounts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.pricing import Price, nano
from turnout.quota.token_bounds import Size, output_bound, output_cap
from turnout.records import Attempt
from turnout.settings import Model

# Never seen by a model, so never billed: our key or name was wrong, the provider had no room, or was not reached.
UNBILLED = frozenset({"rate_limited", "misconfigured", "not_connected"})
# Refused for what it says: some providers bill the reading of it (Azure does), none an answer.
READ_ONLY = frozenset({"caller_fault"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBound:
    """The most that one call of one model can use. cost, reading: in nano-USD; reading: of the prompt alone."""

    prompt_tokens: int
    output_tokens: int
    cost: int
    reading: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


def default_cap(model: Model, default: int, params: Mapping[str, Any]) -> int | None:
    """The cap to send where neither the caller nor the model's own parameters set one; None where they do."""
    if output_cap({**model.params, **params}) is not None:
        return None
    return default if model.max_output_tokens is None else min(default, model.max_output_tokens)


def cost_bound(
    model: Model, price: Price | None, size: Size, params: Mapping[str, Any], extra: Mapping[str, Any], default: int
) -> CostBound:
    """`price` None: tokens alone are asked for. A caller's cap counts as it is, however large."""
    sent = {**model.params, **params, **extra}
    cap = output_cap({**model.params, **params}) or default_cap(model, default, params) or default
    prompt = size.tokens + size.images * model.max_image_tokens
    output = output_bound(cap, sent)
    if price is None:
        return CostBound(prompt_tokens=prompt, output_tokens=output, cost=0, reading=0)
    return CostBound(
        prompt_tokens=prompt,
        output_tokens=output,
        cost=nano(price.worst_case(prompt, output)),
        reading=nano(price.worst_case(prompt, 0)),
    )


def cost_of(attempts: Iterable[tuple[Attempt, CostBound]]) -> int:
    """What these attempts cost together, in nano-USD: the worst case of each whose usage never came."""
    return sum(_cost(attempt, worst) for attempt, worst in attempts)


def _cost(attempt: Attempt, worst: CostBound) -> int:
    if attempt.usage is not None and not attempt.usage.estimated:
        return nano(attempt.cost_usd)
    if attempt.error in UNBILLED:
        return 0
    return worst.reading if attempt.error in READ_ONLY else worst.cost


def tokens_of(attempts: Iterable[tuple[Attempt, CostBound]]) -> int:
    """How many tokens these attempts used together, by the same rule."""
    return sum(_tokens(attempt, worst) for attempt, worst in attempts)


def _tokens(attempt: Attempt, worst: CostBound) -> int:
    if attempt.usage is not None and not attempt.usage.estimated:
        return attempt.usage.total_tokens
    if attempt.error in UNBILLED:
        return 0
    return worst.prompt_tokens if attempt.error in READ_ONLY else worst.tokens
