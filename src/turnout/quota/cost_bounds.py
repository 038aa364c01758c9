"""The most that a call may cost, and the output cap that makes it so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.pricing import Price, nano
from turnout.quota.token_bounds import Size, output_bound, output_cap
from turnout.settings import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBound:
    """The most that one call of one model can use. cost: in nano-USD; prompt_cost: of the prompt alone."""

    prompt_tokens: int
    output_tokens: int
    cost: int
    prompt_cost: int

    @classmethod
    def of(cls, price: Price | None, prompt_tokens: int, output_tokens: int) -> CostBound:
        """The bound of a call that uses at most so many tokens; free of cost where `price` is None."""
        return cls(
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            cost=0 if price is None else nano(price.worst_case(prompt_tokens, output_tokens)),
            prompt_cost=0 if price is None else nano(price.worst_case(prompt_tokens, 0)),
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


def default_cap(model: Model, default: int, params: Mapping[str, Any]) -> int | None:
    """The cap to send where neither the caller nor the model's own parameters set one; None where they do."""
    if output_cap({**model.params, **params}) is not None:
        return None
    return default if model.max_output_tokens is None else min(default, model.max_output_tokens)


def cost_bound(
    model: Model,
    price: Price | None,
    size: Size,
    params: Mapping[str, Any],
    extra: Mapping[str, Any],
    default: int,
) -> CostBound:
    """The bound of this call; `price` None: of its tokens alone. A caller's own cap counts as it is, however large."""
    sent = {**model.params, **params, **extra}
    cap = output_cap({**model.params, **params}) or default_cap(model, default, params) or default
    return CostBound.of(price, size.tokens + size.images * model.max_image_tokens, output_bound(cap, sent))
