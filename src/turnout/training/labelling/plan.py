"""What labelling will ask and cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from turnout.messages import text_of
from turnout.pricing import FREE
from turnout.training.labelling.judges import Judge
from turnout.training.labelling.models import Models
from turnout.training.labelling.prompts import Prompt
from turnout.training.labelling.purse import most_tokens

# An answer's usual length in tokens, where the limit allows it: chat logs have means of 150 to 350.
USUAL_ANSWER_TOKENS = 250
# OpenAI's own rule of thumb for English.
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom to ask: one model of each tier, its first, so that a label is never a fallback's."""

    cheap: str
    expensive: str
    max_tokens: int

    def worst(self, prompt: Prompt, models: Models, judge: Judge) -> Decimal | None:
        """The most that labelling this row may cost, in USD; None where nobody can say. Failures that are waited out
        and a judge that must be asked again are not foreseen: what they need is held when they come."""
        tokens = most_tokens(prompt.messages)
        if tokens is None:
            return None
        return _sum(
            models.worst(self.cheap, tokens, self.max_tokens),
            models.worst(self.expensive, tokens, self.max_tokens),
            judge.worst(tokens, self.max_tokens),
        )

    def likely(self, prompt: Prompt, models: Models, judge: Judge) -> Decimal | None:
        """What labelling this row should cost, in USD; None where a price is not known."""
        tokens = sum(len(text_of(message)) for message in prompt.messages) // CHARACTERS_A_TOKEN + 8
        answer = min(USUAL_ANSWER_TOKENS, self.max_tokens)
        return _sum(
            models.likely(self.cheap, tokens, answer),
            models.likely(self.expensive, tokens, answer),
            judge.likely(tokens, answer),
        )


def _sum(*costs: Decimal | None) -> Decimal | None:
    told = [cost for cost in costs if cost is not None]
    return sum(told, FREE) if len(told) == len(costs) else None


@dataclass(slots=True)
class Plan:
    """rows and calls to make; USD: likely, worst and the dearest row's worst, None where a price is not known.

    unbounded: rows whose worst case nobody can say, those with images: under a budget left out of all the others.
    """

    rows: int = 0
    calls: int = 0
    likely_usd: Decimal | None = FREE
    worst_usd: Decimal | None = FREE
    dearest_usd: Decimal = FREE
    unbounded: int = 0

    def to_json(self) -> dict[str, Any]:
        """Money as floats, for reading by others."""
        usd = {
            "estimated_usd": None if self.likely_usd is None else float(self.likely_usd),
            "worst_usd": None if self.worst_usd is None else float(self.worst_usd),
        }
        return {"to_label": self.rows, "unbounded": self.unbounded, "calls": self.calls, **usd}


def unbounded(prompt: Prompt) -> bool:
    """Whether nobody can say how many tokens it makes at most."""
    return most_tokens(prompt.messages) is None


def planned(prompts: Iterable[Prompt], asking: Asking, models: Models, judge: Judge, *, budgeted: bool) -> Plan:
    """Reads all prompts and holds none."""
    plan = Plan()
    for prompt in prompts:
        boundless = unbounded(prompt)
        plan.unbounded += boundless
        if boundless and budgeted:
            continue
        plan.rows += 1
        plan.calls += 2 + judge.calls
        worst = asking.worst(prompt, models, judge)
        plan.likely_usd = _sum(plan.likely_usd, asking.likely(prompt, models, judge))
        if worst is None:
            plan.worst_usd = None
            continue
        plan.worst_usd = _sum(plan.worst_usd, worst)
        plan.dearest_usd = max(plan.dearest_usd, worst)
    return plan
