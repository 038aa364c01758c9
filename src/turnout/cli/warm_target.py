"""Whom `turnout warm` asks: a Turnout of its own on the app's settings, whose answers its workers find in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from decimal import Decimal
from typing import Any

from turnout.attempt_errors import NotSendable
from turnout.cli.kept_outcomes import KeptOutcomes
from turnout.cli.label_models import prices
from turnout.context import Caller, RequestContext
from turnout.errors import ServedError, StoreUnavailable, UsageError
from turnout.openai.messages import text_of
from turnout.openai.requests import ChatRequest
from turnout.ports.runtime import Provider, ProviderCall
from turnout.pricing import usd
from turnout.quota.billing import cost_of
from turnout.quota.cost_bounds import CostBound, cost_bound, sent_caps
from turnout.quota.own_parameters import require_bounded_params
from turnout.quota.token_bounds import prompt_size
from turnout.settings import Alerts, Limits, Log, Settings, Status
from turnout.turnout import Turnout
from turnout.upstream.prices import HOW_TO_PRICE
from turnout.upstream.token_limits import LimitBook
from turnout.upstream.transports import provider_from
from turnout.warming.prompts import WarmPrompt
from turnout.warming.run import PromptAccount, Warmed

# As `turnout label` foresees a call: chat logs' mean answer, and OpenAI's rule of thumb for English.
USUAL_ANSWER_TOKENS, CHARACTERS_A_TOKEN = 250, 4
# Nobody waits behind a command.
REDIS_TIMEOUT_S = 5.0


def warming(settings: Settings) -> Settings:
    """The app's own, but for what is a user's: no rate limits and no users' budgets, which are not theirs to spend
    here; and no queue, page, alerts or log of its own."""
    endpoints = {name: replace(endpoint, rate=(), heavy=False) for name, endpoint in settings.endpoints.items()}
    redis = settings.redis
    return replace(
        settings,
        limits=Limits(),
        budgets=replace(settings.budgets, per_user=()),
        endpoints=endpoints,
        queue=None,
        status=Status(),
        alerts=Alerts(),
        log=Log(),
        redis=None if redis is None else replace(redis, timeout_s=max(REDIS_TIMEOUT_S, redis.timeout_s)),
    )


class Costs:
    """What the calls for a prompt can cost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prices = prices(settings)
        self._limits = LimitBook(settings)
        self.default_cap = settings.budgets.default_max_output_tokens

    def require_all(self, option: str) -> None:
        """Raises UsageError where a model has no price, SettingsError where one of its parameters has no bound."""
        for model in self._settings.model_names:
            if model not in self._prices:
                raise UsageError(
                    f'{model} has no price, so {option} cannot be kept: {HOW_TO_PRICE}, in [models."{model}"]'
                )
        require_bounded_params(self._settings, bounded=True, prices=lambda: self._prices)

    def bound(self, model: str, request: ChatRequest) -> CostBound:
        """The most that one call of this model can use. Raises InvalidRequest for what nobody can bound."""
        return cost_bound(
            self._settings.model(model),
            self._prices.get(model),
            prompt_size(request.messages, request.params, request.extra),
            request.params,
            request.extra,
            self.default_cap,
            self._limits(model).output,
        )

    def worst(self, models: Sequence[str], request: ChatRequest) -> Decimal | None:
        """USD of one call of the dearest; None where a price is not known."""
        if any(model not in self._prices for model in models):
            return None
        return usd(max(self.bound(model, request).cost for model in models))

    def likely(self, model: str, request: ChatRequest) -> Decimal | None:
        """USD of an answer of the usual length; None where the price is not known."""
        price = self._prices.get(model)
        characters = sum(len(text_of(message)) for message in request.messages)
        return None if price is None else price.worst_case(characters // CHARACTERS_A_TOKEN + 8, USUAL_ANSWER_TOKENS)

    def caps(self, call: ProviderCall) -> Mapping[str, int]:
        """What to send so that the call costs no more than its bound."""
        return sent_caps(
            self._settings.model(call.model), self._limits(call.model).output, self.default_cap, call.params
        )


class TurnoutTarget:
    """Implements WarmTarget. budgeted: every call is held against the prompt's PromptAccount before it is made."""

    def __init__(self, settings: Settings, costs: Costs, *, budgeted: bool, provider: Provider | None = None) -> None:
        self._costs = costs
        self._outcomes = KeptOutcomes()
        provider = provider or provider_from(settings)
        provider = _BoundedProvider(provider, costs) if budgeted else provider
        self.turnout = Turnout(settings, provider=provider, observer=self._outcomes)

    def context(self, prompt: WarmPrompt) -> RequestContext:
        # Admitted: the app's users have not asked, and nothing of it counts at their limits.
        context = self.turnout.context(Caller(user=prompt.user, endpoint=prompt.endpoint, admitted=True))
        # A run that is killed has counted nothing that the next one would have to ask for again.
        return replace(context, stored_first=True)

    async def first_models(self, prompt: WarmPrompt) -> tuple[str, tuple[str, ...]]:
        """The model that it would go to, and all that may be asked first. Raises ServedError."""
        caller = Caller(user=prompt.user, endpoint=prompt.endpoint, admitted=True)
        request = prompt.request
        decision = await self.turnout.decide(
            request.messages,
            caller=caller,
            model=request.model,
            turnout=request.extension,
            **request.params,
        )
        chosen = decision.candidates[0]
        if decision.reason == "forced":
            return chosen, (chosen,)
        tiers = self.turnout.settings.tiers
        return chosen, (chosen, tiers.cheap.models[0], tiers.expensive.models[0])

    async def ask(self, prompt: WarmPrompt, account: PromptAccount) -> Warmed:
        context = self.context(prompt)
        self._outcomes.expect(context.request_id)
        token = _asking.set((account, prompt.request))
        error: ServedError | None = None
        cache = "miss"
        try:
            cache = (await self.turnout.completed(prompt.request, context)).outcome.cache
        except ServedError as failed:
            error = failed
        finally:
            _asking.reset(token)
        cost = self._cost(prompt.request, context.request_id)
        if self._outcomes.store_lost:
            raise StoreUnavailable(f"Redis cannot be asked: {self._outcomes.store_lost}")
        fresh = cache in ("hit", "semantic", "collapsed")
        return Warmed(usd=cost, stored=fresh or cache == "miss_stored", fresh=fresh, error=error)

    def _cost(self, request: ChatRequest, request_id: str) -> Decimal:
        outcome = self._outcomes.take(request_id)
        attempts = () if outcome is None else outcome.attempts
        return usd(cost_of((attempt, self._costs.bound(attempt.model, request)) for attempt in attempts))


# The account of the prompt that is being asked, and its request; the flight's task is begun with it.
_asking: ContextVar[tuple[PromptAccount, ChatRequest] | None] = ContextVar("warming", default=None)


class _BoundedProvider:
    """Implements the Provider port by another: no call that the prompt's account does not cover, none without a cap.
    Retries and fallbacks are calls of their own: what each may cost is held beside what those before may have cost."""

    def __init__(self, provider: Provider, costs: Costs) -> None:
        self._provider = provider
        self._costs = costs
        self.load = provider.load
        self.stream = provider.stream
        self.embed = provider.embed
        self.close = provider.close

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        asking = _asking.get()
        assert asking is not None
        account, request = asking
        account.begun += usd(self._costs.bound(call.model, request).cost)
        if not account.cover(account.begun):
            raise NotSendable("--budget has no room for this call", text="the budget has no room for this call")
        return await self._provider.complete(replace(call, params={**call.params, **self._costs.caps(call)}))
