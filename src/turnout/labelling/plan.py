"""What labelling will ask and cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from turnout.labelling.journal import Bought, QuestionDigests
from turnout.labelling.judges import Judge
from turnout.labelling.models import LabellingModels
from turnout.labelling.prompts import Prompt, most_tokens
from turnout.logs.example import SIDES
from turnout.openai.messages import text_of
from turnout.pricing import FREE

# An answer's usual length in tokens, where the limit allows it: chat logs have means of 150 to 350.
USUAL_ANSWER_TOKENS = 250
# OpenAI's own rule of thumb for English.
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a row has not bought yet. tiers: the models whose answer it lacks; judge_calls: how many."""

    tiers: tuple[str, ...]
    judge_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom to ask: one model of each tier, its first, so that a label is never a fallback's."""

    cheap: str
    expensive: str
    max_tokens: int

    def questions(self, prompt: Prompt) -> tuple[str, str]:
        """The digests of what both tiers are asked."""
        digests = QuestionDigests()
        cheap = digests.digest(self.cheap, prompt.messages, self.max_tokens)
        return cheap, digests.digest(self.expensive, prompt.messages, self.max_tokens)

    def missing(self, prompt: Prompt, judge: Judge, bought: Bought) -> Missing:
        """What must still be asked for this row."""
        questions = self.questions(prompt)
        ungraded = [prompt.known_quality(side) is None for side in SIDES]
        pairs = zip((self.cheap, self.expensive), questions, ungraded, strict=True)
        tiers = tuple(model for model, digest, is_ungraded in pairs if is_ungraded and digest not in bought)
        judged = len(bought) - sum(digest in bought for digest in questions)
        return Missing(tiers=tiers, judge_calls=max(0, judge.calls * sum(ungraded) // 2 - judged))

    def known(self, prompt: Prompt) -> Bought:
        """The answers that the log holds: not to be paid for again."""
        answers = zip(self.questions(prompt), map(prompt.known_answer, SIDES), strict=True)
        return {digest: answer for digest, answer in answers if answer is not None}

    def worst(self, prompt: Prompt, models: LabellingModels, judge: Judge, missing: Missing) -> Decimal | None:
        """The most that labelling this row may still cost, in USD; None where nobody can say. Failures that are waited
        out and a judge that must be asked again are not foreseen: what they need is held when they come."""
        tokens = most_tokens(prompt.messages)
        if tokens is None:
            return None
        calls = [models.worst(model, tokens, self.max_tokens) for model in missing.tiers]
        return _sum(*calls, judge.worst(tokens, missing.judge_calls))

    def likely(self, prompt: Prompt, models: LabellingModels, judge: Judge, missing: Missing) -> Decimal | None:
        """What labelling this row should still cost, in USD; None where a price is not known."""
        tokens = sum(len(text_of(message)) for message in prompt.messages) // CHARACTERS_A_TOKEN + 8
        answer = min(USUAL_ANSWER_TOKENS, self.max_tokens)
        calls = [models.likely(model, tokens, answer) for model in missing.tiers]
        return _sum(*calls, judge.likely(tokens, answer, missing.judge_calls))


def _sum(*costs: Decimal | None) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known, FREE) if len(known) == len(costs) else None


@dataclass(slots=True)
class Plan:
    """rows and calls to make, bought answers left out; USD: likely, worst, and the worst of the dearest and of the
    cheapest row, None where a price is not known.

    unbounded: rows whose worst case nobody can say, those with images: under a budget left out of all the others.
    """

    rows: int = 0
    calls: int = 0
    likely_usd: Decimal | None = FREE
    worst_usd: Decimal | None = FREE
    dearest_usd: Decimal = FREE
    least_usd: Decimal | None = None
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


def planned(
    prompts: Iterable[Prompt],
    asking: Asking,
    models: LabellingModels,
    judge: Judge,
    *,
    bought: Callable[[str], Bought],
    budgeted: bool,
) -> Plan:
    """Reads all prompts and holds none. bought: the answers that a row has already, by its digest."""
    plan = Plan()
    for prompt in prompts:
        boundless = unbounded(prompt)
        plan.unbounded += boundless
        if boundless and budgeted:
            continue
        missing = asking.missing(prompt, judge, {**asking.known(prompt), **bought(prompt.digest)})
        plan.rows += 1
        plan.calls += len(missing.tiers) + missing.judge_calls
        worst = asking.worst(prompt, models, judge, missing)
        plan.likely_usd = _sum(plan.likely_usd, asking.likely(prompt, models, judge, missing))
        if worst is None:
            plan.worst_usd = None
            continue
        plan.worst_usd = _sum(plan.worst_usd, worst)
        plan.dearest_usd = max(plan.dearest_usd, worst)
        plan.least_usd = worst if plan.least_usd is None else min(plan.least_usd, worst)
    return plan
