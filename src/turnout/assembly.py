"""From settings to a running Turnout: the one place that builds the plugs and hands them in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from turnout.api import current, litellm_provider
from turnout.caching.keys import Keys, policy_digest
from turnout.clock import SystemClock
from turnout.context import DEFAULT_DIRECTIVES, Caller, Directives, RequestContext, current_request, new_request_id
from turnout.errors import InvalidRequest
from turnout.openai.completion import AnswerStream, Completion, TextStream
from turnout.openai.messages import Message
from turnout.openai.requests import ChatRequest, from_call
from turnout.pipeline import Pipeline
from turnout.pipeline.budget_alerts import BudgetAlerts
from turnout.pipeline.call import EndpointAdmission
from turnout.pipeline.reservation import Reservations
from turnout.ports.admission import Gate
from turnout.ports.runtime import Clock, Observer, Provider
from turnout.ports.scoring import Scorer
from turnout.ports.sharing import CircuitStore, ShareStore
from turnout.records import Decision, Outcome
from turnout.routing.catalog import Catalog
from turnout.routing.drift import Drift
from turnout.routing.factory import DEFAULT_SHARE, routing_target, scorer_from, share_sync_from, training_rows_of, watch
from turnout.routing.router import Router
from turnout.settings import Routing, Settings
from turnout.stores.factory import stores_from
from turnout.telemetry.factory import observer_from, report_store_change, request_log_from
from turnout.upstream import litellm_import
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.chain import Chain
from turnout.upstream.prices import PriceBook
from turnout.upstream.provider import LiteLLMProvider
from turnout.webhooks.factory import sender_from

if TYPE_CHECKING:
    from turnout.api.transport import Transport

log = logging.getLogger("turnout")

# Sections that are read and checked, but that nothing acts on yet.
NOT_BUILT = ("queue", "status")


class Turnout:
    """A running Turnout. `async with Turnout.from_toml("turnout.toml") as t: await t.complete("...")`.

    The keyword arguments replace a plug, as tests do; none is needed to run.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Settings,
        *,
        clock: Clock | None = None,
        provider: Provider | None = None,
        scorer: Scorer | None = None,
        gate: Gate | None = None,
        circuit_store: CircuitStore | None = None,
        share_store: ShareStore | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.settings = settings = Settings.of(config)
        self.home: asyncio.AbstractEventLoop | None = None
        litellm_provider.register()
        self.clock = clock or SystemClock()
        self._own_provider = provider is None
        self._provider = provider or LiteLLMProvider(settings)
        self.catalog = Catalog(settings)
        self._log = request_log_from(settings, self.clock) if observer is None else None
        observer = observer or observer_from(settings, self._log)
        self._stores = stores_from(settings, self.clock, partial(report_store_change, observer))
        if gate is not None:
            self._stores = replace(self._stores, gate=gate)
        self._sender = sender_from(settings, self.clock)
        self._prices = PriceBook(settings)
        self._reservations = Reservations(
            settings=settings, clock=self.clock, gate=self._stores.gate, catalog=self.catalog, prices=self._prices
        )
        if self._reservations.budgeted:
            self._prices.require_all()
        scorer = scorer or scorer_from(settings)
        _warn(settings, scorer)
        # The default scorer was trained on no logs of this app: its scores are uniform on no traffic.
        self.drift = None if scorer.is_default else Drift(training_rows_of(scorer))
        if circuit_store is None and settings.redis is not None:
            # Alone in its process, a breaker has nobody to share with.
            circuit_store = self._stores.circuit_store
        wanted = routing_target(settings, scorer)
        self._share_sync = share_sync_from(wanted, scorer, share_store or self._stores.share_store, self.clock)
        self.bulkhead = Bulkhead(settings=settings, clock=self.clock, observer=observer, circuit_store=circuit_store)
        self._pipeline = Pipeline(
            settings=settings,
            clock=self.clock,
            gate=self._stores.gate,
            flight_broker=self._stores.flight_broker,
            keys=Keys(policy=policy_digest(settings, scorer.version), scope=settings.cache.scope),
            catalog=self.catalog,
            router=Router(
                catalog=self.catalog,
                scorer=scorer,
                target=wanted if self._share_sync is None else self._share_sync.keeper,
                seen=partial(watch, self.drift, observer),
                share_sync=self._share_sync,
            ),
            chain=Chain(
                provider=self._provider,
                clock=self.clock,
                observer=observer,
                settings=settings,
                prices=self._prices,
                bulkhead=self.bulkhead,
                rng=random.Random().random,
            ),
            bulkhead=self.bulkhead,
            observer=observer,
            reservations=self._reservations,
            budget_alerts=BudgetAlerts(
                shares=settings.budgets.alert_at,
                once=self._stores.circuit_store,
                clock=self.clock,
                observer=observer,
                send=self._sender.send if self._sender is not None else None,
            ),
        )

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Turnout:
        """The Turnout of a settings file. Raises SettingsError."""
        return cls(Settings.from_toml(path))

    def begin_loading(self) -> None:
        """Begins what is slow in the background and returns at once."""
        if self._own_provider:
            litellm_import.start()

    def mount(self) -> None:
        """From now on it is what a call outside of any request may mean. Begins what is slow in the background."""
        current.begin(self)
        self.begin_loading()

    async def start(self) -> None:
        """Returns when nothing slow is left for the first request. This loop is now where threads' calls go."""
        self.home = asyncio.get_running_loop()
        current.begin(self)
        await self._provider.load()
        await self._stores.open()
        if self._share_sync is not None:
            await self._share_sync.meet()
        if self._reservations.budgeted:
            self._prices.require_all()

    async def aclose(self) -> None:
        """Waits for the calls in progress, then closes what is open."""
        current.end(self)
        await self._pipeline.drain()
        if self._sender is not None:
            await self._sender.close()
        await self._provider.close()
        if self._share_sync is not None:
            await self._share_sync.close()
        await self._stores.gate.close()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    async def __aenter__(self) -> Turnout:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def complete(
        self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any
    ) -> Completion:
        """The answer to a text or to messages. `params`: OpenAI's, `model` ("auto") and `tag` included.
        caller: by default that of the request that the app is handling.

        Raises ServedError: what would have been told over HTTP.
        """
        return await self.completed(from_call(prompt, stream=False, params=params), self.context(caller))

    def stream(self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any) -> TextStream:
        """The answer chunk by chunk: `async for chunk in t.stream("..."): chunk.text`. Raises ServedError."""
        request = from_call(prompt, stream=True, params=params)
        return TextStream(partial(self.streamed, request, self.context(caller)))

    async def decide(self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any) -> Decision:
        """Where the request would go, and why. Nothing is called, counted or stored."""
        return await self._pipeline.decide(from_call(prompt, stream=False, params=params), self.context(caller))

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Drops the stored answers of this user, of this endpoint, or of both at once; with neither, all.
        Says how many. Raises StoreUnavailable where a configured Redis cannot be asked."""
        return await self._stores.cache_admin.purge(user=user, endpoint=endpoint)

    def transport(self, *, model: str | None = "auto") -> Transport:
        """A transport for `httpx.Client` and `httpx.AsyncClient` that leads here, from code on any LLM SDK.

        model: what the model's name is replaced by that the code asks for, unless it is auto, cheap, expensive, a
        configured full name or an alias; None keeps every name.
        """
        # Imported here: httpx takes a while, and importing turnout is light.
        from turnout.api.transport import Transport

        return Transport(lambda: self, model)

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names that callers may use for `model`."""
        return self.catalog.names

    async def completed(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The whole answer to a parsed request."""
        completion = await self._pipeline.complete(request, context)
        _note(completion.outcome)
        return completion

    async def streamed(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The chunks of the answer to a parsed request, the first content-bearing one at hand."""
        stream = await self._pipeline.stream(replace(request, stream=True), context)
        _note(stream.head)
        return stream

    async def admitted(self, prompt: str | Sequence[Message] | None, caller: Caller) -> EndpointAdmission:
        """Lets a request of the app's own endpoint in: counts it, and decides where there is a text to score.
        Raises ServedError."""
        request: ChatRequest | None = None
        if prompt:
            # What cannot be scored is the app's own to refuse.
            with contextlib.suppress(InvalidRequest):
                request = from_call(prompt, stream=False, params={})
        return await self._pipeline.admit(request, self.context(caller))

    def context(self, caller: Caller | None = None, directives: Directives = DEFAULT_DIRECTIVES) -> RequestContext:
        """A new request's circumstances, by default of the caller whose request the app is handling."""
        return RequestContext(
            request_id=new_request_id(),
            started=self.clock.monotonic(),
            caller=caller or _current(),
            directives=directives,
        )


def _current() -> Caller:
    handled = current_request.get()
    return handled.find_caller() if handled is not None else Caller()


def _note(outcome: Outcome) -> None:
    handled = current_request.get()
    if handled is not None:
        handled.note(outcome)


def _warn(settings: Settings, scorer: Scorer) -> None:
    if settings.routing == Routing():
        log.warning(
            "no [routing] in the settings: the default scorer sends the hardest-looking %s to the expensive tier; "
            "train your own: turnout train LOGS -o FILE",
            DEFAULT_SHARE,
        )
    plain = Settings(tiers=settings.tiers)
    told = [name for name in NOT_BUILT if getattr(settings, name) != getattr(plain, name)]
    if settings.cache.semantic.enabled:
        told.append("cache.semantic")
    told += [f'endpoints."{path}".heavy' for path, endpoint in settings.endpoints.items() if endpoint.heavy]
    if told:
        log.warning("these settings are checked but not acted on in this version: %s", ", ".join(told))
