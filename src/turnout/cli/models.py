"""The models that `turnout label` asks, through Turnout itself: its retries and timeouts, no cache, no routing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from turnout.assembly import Turnout
from turnout.errors import ServedError
from turnout.messages import Message
from turnout.outcome import Attempt, Outcome, Tier
from turnout.ports import Provider, ProviderCall
from turnout.pricing import FREE, Price
from turnout.settings import Cache, Fallback, Routing, Settings, TierModels, Tiers
from turnout.training.labelling.models import Answer, RowFailed
from turnout.training.labelling.purse import billed, most_tokens
from turnout.upstream import litellm_import
from turnout.upstream.prices import price_table
from turnout.wire import from_call


def replaying(settings: Settings, judge: str = "") -> Settings:
    """The app's models and retries, and nothing else of it: no cache, no limits, no fallback. A judge that is in
    no tier is added behind the expensive ones; since each model is asked by its name, it answers nothing else."""
    tiers = settings.tiers
    if judge and judge not in settings.model_names:
        tiers = Tiers(cheap=tiers.cheap, expensive=TierModels(models=(*tiers.expensive.models, judge)))
    return Settings(
        tiers=tiers,
        models=settings.models,
        retry=settings.retry,
        cache=Cache(enabled=False),
        fallback=Fallback(other_tier="none"),
        # Every call names its model: the scorer is never asked, so none need be loaded.
        routing=Routing(threshold=0.5),
    )


def prices(settings: Settings) -> Mapping[str, Price]:
    """What the models cost; litellm's table is loaded only where the settings do not tell all."""
    own = price_table(settings, {})
    if len(own) == len(settings.model_names):
        return own
    return price_table(settings, litellm_import.load().model_cost)


class TurnoutModels:
    """Implements Models over a Turnout of its own."""

    def __init__(self, settings: Settings, *, provider: Provider | None = None) -> None:
        self._records = _Records()
        self._retries = settings.retry.attempts
        self._prices = prices(settings)
        self.turnout = Turnout(settings, provider=provider, observer=self._records)

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        request = from_call(messages, stream=False, params={"model": model, "max_tokens": max_tokens})
        around = self.turnout.around()
        tokens = (most_tokens(messages) or 0, max_tokens)
        self._records.expect(around.request_id, self._prices.get(model), tokens)
        try:
            completion = await self.turnout.completed(request, around)
        except ServedError as error:
            outcome, spent = self._records.take(around.request_id)
            raise RowFailed(_why(model, error, outcome), spent) from error
        _, spent = self._records.take(around.request_id)
        attempt = completion.outcome.attempts[-1]
        cost = attempt.cost_usd if model in self._prices and attempt.usage is not None else None
        return Answer(text=completion.text, cost_usd=cost, spent_usd=spent, cut=attempt.finish_reason == "length")

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        price = self._prices.get(model)
        return None if price is None else self._retries * price.worst_case(prompt_tokens, max_tokens)

    def likely(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        price = self._prices.get(model)
        return None if price is None else price.worst_case(prompt_tokens, max_tokens)


def _why(model: str, error: ServedError, outcome: Outcome | None) -> str:
    kinds = [
        f"{attempt.error} ({attempt.status})" if attempt.status else str(attempt.error)
        for attempt in (outcome.attempts if outcome else ())
        if attempt.error
    ]
    return f"{model}: {error.message}" + (f" [{', '.join(kinds)}]" if kinds else "")


class _Records:
    """Implements the Observer port: keeps each request's outcome until it is asked for."""

    def __init__(self) -> None:
        self._expected: dict[str, tuple[Price | None, tuple[int, int]]] = {}
        self._ended: dict[str, Outcome] = {}

    def expect(self, request_id: str, price: Price | None, tokens: tuple[int, int]) -> None:
        """What a call may cost that tells no usage: its most prompt tokens and most output tokens."""
        self._expected[request_id] = (price, tokens)

    def take(self, request_id: str) -> tuple[Outcome | None, Decimal]:
        """The outcome of a request and what it cost; told once."""
        price, tokens = self._expected.pop(request_id)
        outcome = self._ended.pop(request_id, None)
        return outcome, FREE if outcome is None else billed(outcome.attempts, price, *tokens)

    # ------------------------------------------------------------------------------------- the Observer

    def request_started(self, request_id: str) -> None:
        return None

    def request_ended(self, token: None, outcome: Outcome) -> None:
        if outcome.request_id in self._expected:
            self._ended[outcome.request_id] = outcome

    def attempt_started(self, token: None, call: ProviderCall, *, tier: Tier, stream: bool) -> None:
        return None

    def attempt_ended(self, token: None, attempt: Attempt) -> None:
        return None

    def event(self, token: None, name: str, attributes: Mapping[str, Any]) -> None:
        return None
