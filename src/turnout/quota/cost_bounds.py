"""The most that a call may cost, and the output cap that makes it so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.pricing import Price, nano
from turnout.quota.own_parameters import own_parameters
from turnout.quota.token_bounds import Size, output_bound, output_caps, params_size
from turnout.settings import Model

# What an effort is worth in tokens of thinking, as litellm writes it for Claude, whose API takes no less than 1,024.
# Where a model thinks as it likes, it has room for as much beside its answer.
THINKING_TOKENS: Mapping[str, int] = {
    "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16_384,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBound:
    """The most that one call of one model can use. cost: in nano-USD; prompt_cost: of the prompt alone."""

    prompt_tokens: int
    output_tokens: int
    cost: int
    prompt_cost: int

    @classmethod
    def of(
        cls,
        price: Price | None,
        prompt_tokens: int,
        output_tokens: int,
        *,
        media: bool = False,
        long_written: bool = False,
        service_tier: str = "",
    ) -> CostBound:
        """The bound of a call that uses at most so many tokens; free of cost where `price` is None. media: its prompt
        holds sound or images. long_written: it asks for an hour's prompt cache. service_tier: that it asks for."""

        def worst(tokens: int) -> int:
            if price is None:
                return 0
            kinds = {"media": media, "long_written": long_written}
            return nano(price.worst_case(prompt_tokens, tokens, **kinds, service_tier=service_tier))

        return cls(
            prompt_tokens=prompt_tokens, output_tokens=output_tokens, cost=worst(output_tokens), prompt_cost=worst(0)
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


def sent_caps(model: Model, largest: int | None, default: int, params: Mapping[str, Any]) -> dict[str, int]:
    """What to send in the place of the caller's own and the model's own caps: `default`, beside the thinking that is
    asked for, where there are none, and `largest` for those above it. largest: the model's own largest output, None
    where unknown."""
    asked = {**model.params, **params}
    caps = output_caps(asked)
    if not caps:
        default += max(_thinking_budget(asked.get("thinking")), _effort_budget(asked.get("reasoning_effort")))
        return {"max_tokens": default if largest is None else min(default, largest)}
    return {} if largest is None else {name: largest for name, cap in caps.items() if cap > largest}


def cost_bound(
    model: Model,
    price: Price | None,
    size: Size,
    params: Mapping[str, Any],
    extra: Mapping[str, Any],
    default: int,
    largest: int | None = None,
) -> CostBound:
    """The bound of this call, the model's own parameters in it, with the caps of `sent_caps`; `price` None: of its
    tokens alone. size: of the prompt and of the caller's parameters."""
    own, own_extra = own_parameters(model)
    # The caller's parameter goes before the model's of the same name.
    own = {name: value for name, value in own.items() if name not in params}
    added = params_size(own, own_extra)
    asked = {**own, **own_extra, **params, **extra}
    sent = {**asked, **sent_caps(model, largest, default, {**params, **extra})}
    cap = max(output_caps(sent).values())
    return CostBound.of(
        price,
        size.tokens + added.tokens + size.images * model.max_image_tokens,
        output_bound(cap, sent),
        media=size.sound or bool(size.images),
        long_written=size.long_written or added.long_written,
        service_tier=str(sent.get("service_tier") or ""),
    )


def _thinking_budget(thinking: Any) -> int:
    """Tokens of thinking that this asks for, Anthropic's way: its API refuses a cap that does not exceed them."""
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return budget if isinstance(budget, int) and budget > 0 else 0


def _effort_budget(effort: Any) -> int:
    """Tokens of thinking that an effort asks for: it may come as a table that holds it."""
    level = effort.get("effort") if isinstance(effort, Mapping) else effort
    return THINKING_TOKENS.get(level, 0) if isinstance(level, str) else 0
