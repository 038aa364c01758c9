"""The models that `turnout label` asks, through Turnout itself: its timeouts and circuits, nothing else of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from typing import Any

from turnout.attempt_errors import AttemptError, Misconfigured
from turnout.cli.failure_text import FailureText
from turnout.cli.kept_outcomes import KeptOutcomes
from turnout.errors import DeadlineExceeded, InvalidRequest, Overloaded, ServedError, UpstreamUnavailable
from turnout.labelling.models import Answer, AskFailed, ModelRefused, Outage, RowFailed
from turnout.openai.messages import Message
from turnout.openai.requests import from_call
from turnout.ports.runtime import Provider, ProviderCall
from turnout.pricing import Price, usd
from turnout.quota.billing import cost_of
from turnout.quota.cost_bounds import CostBound, cost_bound
from turnout.quota.own_parameters import require_bounded_params
from turnout.quota.token_bounds import Size, prompt_size
from turnout.records import Outcome
from turnout.settings import Cache, Fallback, Routing, Settings
from turnout.turnout import Turnout
from turnout.upstream import litellm_import
from turnout.upstream.call_trace import DEFAULT_RETRY_AFTER_S
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.prices import price_table


def replaying(settings: Settings) -> Settings:
    """The app's models and circuits, and nothing else of it: no cache, no limits, no fallback. Each model is asked by
    its name, so one that stands behind a tier's others answers nothing else. No retries: labelling asks again itself,
    so that each call waits for the throttle and is written to the journal."""
    return Settings(
        tiers=settings.tiers,
        models=settings.models,
        retry=replace(settings.retry, attempts=1),
        breaker=settings.breaker,
        cache=Cache(enabled=False),
        fallback=Fallback(other_tier="none"),
        # Every call names its model: the scorer is never asked, so none need be loaded.
        routing=Routing(threshold=0.5),
    )


def prices(settings: Settings) -> Mapping[str, Price]:
    """What the models cost; litellm's table is loaded only where the settings do not tell all."""
    own = price_table(settings, {})
    if len(own) == len(settings.every_model):
        return own
    return price_table(settings, litellm_import.load_litellm().model_cost)


class TurnoutModels:
    """Implements Models over a Turnout of its own."""

    def __init__(self, settings: Settings, *, provider: Provider | None = None) -> None:
        self._outcomes = KeptOutcomes()
        self._settings = settings
        self._prices = prices(settings)
        self._failure_text = FailureText(settings)
        recorder = _FaultRecorder(provider or LiteLLMProvider(settings))
        self.turnout = Turnout(settings, provider=recorder, observer=self._outcomes)

    async def ask(self, model: str, messages: Sequence[Message], max_tokens: int) -> Answer:
        context = self.turnout.context()
        # What each attempt counts as whose usage never comes.
        worst = self._bound(model, _size(messages), max_tokens)
        self._outcomes.expect(context.request_id)
        faults: list[AttemptError] = []
        token = _faults.set(faults)
        try:
            request = from_call(messages, stream=False, params={"model": model, "max_tokens": max_tokens})
            completion = await self.turnout.completed(request, context)
        except ServedError as error:
            outcome = self._outcomes.take(context.request_id)
            spent = _spent(outcome, worst)
            raise self._failure(model, error, outcome, spent, faults) from error
        except BaseException:
            self._outcomes.take(context.request_id)
            raise
        finally:
            _faults.reset(token)
        spent = _spent(self._outcomes.take(context.request_id), worst)
        attempt = completion.outcome.attempts[-1]
        cost = attempt.cost_usd if model in self._prices and attempt.usage is not None else None
        return Answer(text=completion.text, cost_usd=cost, spent_usd=spent, cut=attempt.finish_reason == "length")

    def _failure(
        self, model: str, error: ServedError, outcome: Outcome | None, spent: Decimal, faults: Sequence[AttemptError]
    ) -> AskFailed:
        shut = self.turnout.bulkhead.look(model)
        fault = faults[-1] if faults else None
        if shut is not None and shut.reason == "misconfigured":
            return ModelRefused(self._failure_text.refusal(model, fault), spent)
        message = self._failure_text.failure(model, error, outcome, faults)
        # Refused though its circuit is closed: it answers others, so it is this request that it refuses.
        if isinstance(fault, Misconfigured) or not isinstance(
            error, UpstreamUnavailable | Overloaded | DeadlineExceeded
        ):
            return RowFailed(message, spent)
        called = outcome is not None and bool(outcome.attempts)
        return Outage(message, spent, called=called, wait_s=self.wait_s(model))

    def wait_s(self, model: str) -> float:
        shut = self.turnout.bulkhead.look(model)
        # No wait helps against a misconfigured model: whoever asks gets its error at once.
        if shut is None or shut.reason == "misconfigured":
            return 0.0
        return DEFAULT_RETRY_AFTER_S if shut.retry_after_s is None else shut.retry_after_s

    def require_bounded(self) -> None:
        """Raises SettingsError where a model's own parameters may cost more than is known."""
        require_bounded_params(self._settings, bounded=True, prices=lambda: self._prices)

    def worst(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        return usd(self._bound(model, Size(prompt_tokens), max_tokens).cost) if model in self._prices else None

    def _bound(self, model: str, size: Size, max_tokens: int) -> CostBound:
        params = {"max_tokens": max_tokens}
        return cost_bound(self._settings.model(model), self._prices.get(model), size, params, {}, max_tokens)

    def likely(self, model: str, prompt_tokens: int, max_tokens: int) -> Decimal | None:
        price = self._prices.get(model)
        return None if price is None else price.worst_case(prompt_tokens, max_tokens)


def _spent(outcome: Outcome | None, worst: CostBound) -> Decimal:
    attempts = () if outcome is None else outcome.attempts
    return usd(cost_of((attempt, worst) for attempt in attempts))


def _size(messages: Sequence[Message]) -> Size:
    try:
        return prompt_size(tuple(messages), {}, {})
    except InvalidRequest:
        # A file, which no budget lets in: without a budget nothing is refused for a cost that is not known.
        return Size(0)


# What the provider said of the ask that is being made; a list of each ask's own, also in the tasks that it begins.
_faults: ContextVar[list[AttemptError] | None] = ContextVar("faults", default=None)


class _FaultRecorder:
    """Implements the Provider port by another: keeps the text of its errors, which apps find in their log."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.load = provider.load
        self.stream = provider.stream
        self.embed = provider.embed
        self.close = provider.close

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        try:
            return await self._provider.complete(call)
        except AttemptError as fault:
            if (faults := _faults.get()) is not None:
                faults.append(fault)
            raise
