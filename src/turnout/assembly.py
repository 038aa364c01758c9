"""`build(settings)`: the one place that builds the parts of a Turnout and hands each what it needs."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from turnout.api.access import StatusAccess
from turnout.api.chat import Chat
from turnout.api.completions import Completions
from turnout.api.embeddings import EmbeddingsApi
from turnout.api.messages import AnthropicMessages
from turnout.api.models import ModelList
from turnout.api.responses import ResponsesApi
from turnout.api.routes import Api, Routes, Wires, route_table
from turnout.caching.kept_responses import ResponseStore
from turnout.caching.keys import CacheKeys, policy_digest
from turnout.clock import SystemClock
from turnout.home_loop import HomeLoop
from turnout.pipeline.call import Collaborators
from turnout.pipeline.embeddings import EmbeddingPipeline
from turnout.pipeline.pipeline import Pipeline
from turnout.pipeline.reservation import Reservations
from turnout.ports.admission import Gate
from turnout.ports.runtime import Clock, Observer, Provider
from turnout.ports.scoring import Scorer
from turnout.ports.sharing import CircuitStore, Claims, ShareStore
from turnout.quota.budget_alerts import BudgetAlerts
from turnout.quota.fitting import Fitting
from turnout.quota.policies import Policies
from turnout.routing.catalog import Catalog
from turnout.routing.conversation_pins import Conversations
from turnout.routing.drift import Drift
from turnout.routing.factory import (
    DEFAULT_SHARE,
    quality_control_from,
    routing_target,
    scorer_from,
    share_sync_from,
    training_rows_of,
    watch,
)
from turnout.routing.router import Router
from turnout.routing.share_sync import ShareSync
from turnout.settings import Routing, Settings
from turnout.settings.secrets import salt_of
from turnout.status_assembly import build_status
from turnout.stores.factory import Stores, kept_entries_from, stores_from
from turnout.telemetry.counters import Counters
from turnout.telemetry.factory import observer_from, report_store_change, request_log_from
from turnout.telemetry.request_log import RequestLog
from turnout.telemetry.ticker import Ticker
from turnout.upstream import litellm_import
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.chain import Chain
from turnout.upstream.model_rates import ModelRates
from turnout.upstream.prices import PriceBook
from turnout.upstream.responses_models import ResponsesModels
from turnout.upstream.token_limits import LimitBook
from turnout.upstream.transports import provider_from
from turnout.webhooks.factory import sender_from
from turnout.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from turnout.caching.semantic.similar import SimilarQuestions
    from turnout.pipeline.cascade import CascadeCalls
    from turnout.queue_assembly import QueueParts
    from turnout.stores.sqlite.entries import SqliteEntries

log = logging.getLogger("turnout")


class Plugs(TypedDict, total=False):
    """Replacements for what the settings would have built, as tests hand in; None: no replacement."""

    clock: Clock | None
    provider: Provider | None
    scorer: Scorer | None
    gate: Gate | None
    circuit_store: CircuitStore | None
    share_store: ShareStore | None
    observer: Observer | None
    # Uniform in [0, 1): which accepted answers a cascade asks again.
    chance: Callable[[], float] | None
    # Whether this process works on jobs; None: as the settings say.
    works: bool | None
    # The app's own function of a text that returns its vector, or a coroutine function.
    embedder: Callable[[str], Any] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one Turnout that are used, opened or closed after they are built."""

    api: Api
    pipeline: Pipeline
    provider: Provider
    stores: Stores
    # Of kept responses; None where they lie among the stored answers.
    kept_entries: SqliteEntries | None
    prices: PriceBook
    budgeted: bool
    bulkhead: Bulkhead
    share_sync: ShareSync | None
    drift: Drift | None
    sender: WebhookSender | None
    request_log: RequestLog | None
    ticker: Ticker | None
    queue: QueueParts | None


def build(settings: Settings, **plugs: Unpack[Plugs]) -> Parts:
    """The parts of a Turnout of these settings. Opens and calls nothing. Raises SettingsError."""
    clock = plugs.get("clock") or SystemClock()
    provider = plugs.get("provider") or provider_from(settings)
    catalog = Catalog(settings)
    request_log = request_log_from(settings, clock) if plugs.get("observer") is None else None
    prices, limits = PriceBook(settings), LimitBook(settings)
    over_responses = ResponsesModels(settings, os.environ)
    access, sender = StatusAccess(settings, os.environ), sender_from(settings, clock)
    counters = Counters(settings, prices=prices, clock=clock, counting=access.on or sender is not None)
    observer = plugs.get("observer") or observer_from(settings, request_log, counters)
    stores = _stores(settings, clock, observer, plugs.get("gate"))
    policies = Policies(settings)
    budgeted = policies.budgeted
    if budgeted:
        prices.require_all()
    scorer = plugs.get("scorer") or scorer_from(settings)
    _warn(settings)
    # The default scorer was trained on no logs of this app: its scores are uniform on no traffic.
    drift = None if scorer.is_default else Drift(training_rows_of(scorer))
    target = routing_target(settings, scorer)
    share_sync = share_sync_from(target, scorer, plugs.get("share_store") or stores.share_store, clock)
    # Alone in its process, a breaker has nobody to share with.
    circuit_store = plugs.get("circuit_store") or (stores.circuit_store if settings.redis is not None else None)
    bulkhead = Bulkhead(
        settings=settings,
        clock=clock,
        observer=observer,
        circuit_store=circuit_store,
        rates=_model_rates(settings, clock, stores.gate, circuit_store),
    )
    router = Router(
        catalog=catalog,
        scorer=scorer,
        target=target if share_sync is None else share_sync.control,
        seen=partial(watch, drift, observer),
        share_sync=share_sync,
        quality=quality_control_from(settings, scorer, target),
    )
    rng = random.Random().random
    chain = Chain(
        provider=provider,
        clock=clock,
        observer=observer,
        settings=settings,
        prices=prices,
        limits=limits,
        bulkhead=bulkhead,
        rng=rng,
    )
    budget_alerts = BudgetAlerts(
        shares=settings.budgets.alert_at,
        claims=stores.circuit_store,
        clock=clock,
        observer=observer,
        send=sender.send if sender is not None else None,
    )
    keys = CacheKeys(policy=policy_digest(settings, scorer.version), scope=settings.cache.scope)
    collaborators = Collaborators(
        settings=settings,
        clock=clock,
        gate=stores.gate,
        flight_broker=stores.flight_broker,
        keys=keys,
        catalog=catalog,
        router=router,
        fitting=Fitting(settings, limits, over_responses),
        conversations=Conversations(
            settings=settings,
            catalog=catalog,
            prices=prices,
            limits=limits,
            has_room=router.has_room,
            salt=salt_of(settings, os.environ),
            gain_at=getattr(scorer, "gain_at", None),
        ),
        chain=chain,
        bulkhead=bulkhead,
        observer=observer,
        prices=prices,
        limits=limits,
        reservations=Reservations(
            settings=settings, clock=clock, gate=stores.gate, catalog=catalog, prices=prices, limits=limits
        ),
        budget_alerts=budget_alerts,
    )
    embedding_pipeline = EmbeddingPipeline(collaborators, stores.entries)
    similar = _similar(settings, clock, stores, keys.policy, embedding_pipeline, plugs.get("embedder"))
    collaborators = replace(collaborators, similar=similar)
    pipeline = Pipeline(collaborators, _cascade(collaborators, scorer, plugs.get("chance") or rng))
    server = settings.server
    chat = Chat(
        pipeline,
        path=server.chat_path,
        max_params_bytes=server.max_params_bytes,
        conversation_fields=settings.routing.conversation.fields,
    )
    kept_entries = kept_entries_from(settings, clock)
    kept_responses = ResponseStore(kept_entries or stores.entries, settings.responses.ttl_s)
    responses = ResponsesApi(
        chat, kept_responses, server.responses_path, server.max_body_bytes, lambda: bool(over_responses)
    )
    embeddings = EmbeddingsApi(embedding_pipeline, settings.server.max_params_bytes)
    wires = Wires(
        messages=AnthropicMessages(chat, observer),
        responses=responses,
        embeddings=embeddings,
        completions=Completions(chat),
    )
    queue = (
        None if settings.queue is None else _queue(settings, clock, observer, chat, pipeline, wires, plugs.get("works"))
    )
    status = build_status(
        settings,
        clock=clock,
        stores=stores,
        access=access,
        counters=counters,
        bulkhead=bulkhead,
        policies=policies,
        sender=sender,
        is_ready=litellm_import.loaded if plugs.get("provider") is None else lambda: True,
        semantic=pipeline.semantic,
        queue_figures=None if queue is None else queue.figures,
        queue_warning=None if queue is None else queue.submissions.warning,
    )
    table = route_table(settings.server, chat, ModelList(catalog.names, catalog.models_of, limits), status.pages, wires)
    routes = Routes((*table, *(queue.routes if queue is not None else ())))
    api = Api(
        settings=settings,
        clock=clock,
        home=HomeLoop(),
        chat=chat,
        embeddings=embeddings,
        responses=responses,
        routes=routes,
        counters=counters,
        observer=observer,
        forget=status.keeper.forget,
    )
    return Parts(
        api=api,
        pipeline=pipeline,
        provider=provider,
        stores=stores,
        kept_entries=kept_entries,
        prices=prices,
        budgeted=budgeted,
        bulkhead=bulkhead,
        share_sync=share_sync,
        drift=drift,
        sender=sender,
        request_log=request_log,
        ticker=status.ticker,
        queue=queue,
    )


def _cascade(parts: Collaborators, scorer: Scorer, chance: Callable[[], float]) -> CascadeCalls | None:
    if parts.settings.routing.cascade.mode == "off":
        return None
    # Imported here: an app without a cascade loads nothing of it.
    from turnout.cascade_assembly import build_cascade

    return build_cascade(
        parts.settings, scorer, clock=parts.clock, chain=parts.chain, fitting=parts.fitting, chance=chance
    )


def _queue(
    settings: Settings,
    clock: Clock,
    observer: Observer,
    chat: Chat,
    pipeline: Pipeline,
    wires: Wires,
    works: bool | None,
) -> QueueParts:
    # Imported here: an app without a queue loads nothing of it.
    from turnout.queue_assembly import build_queue

    return build_queue(
        settings, clock, observer, chat, pipeline, (wires.messages, wires.responses, wires.completions), works=works
    )


def _model_rates(settings: Settings, clock: Clock, gate: Gate, claims: Claims | None) -> ModelRates | None:
    limited = any(settings.model(name).rate for name in settings.every_model)
    return ModelRates(settings=settings, clock=clock, gate=gate, claims=claims) if limited else None


def _similar(
    settings: Settings,
    clock: Clock,
    stores: Stores,
    policy: bytes,
    embeddings: EmbeddingPipeline,
    embedder: Callable[[str], Any] | None,
) -> SimilarQuestions | None:
    if not (settings.cache.enabled and settings.cache.semantic.enabled):
        return None
    # Imported here: an app without a semantic cache loads nothing of it.
    from turnout.semantic_assembly import build_similar

    ask = embeddings.embed_questions
    return build_similar(settings, clock, stores.semantic(), stores.check_store, policy, ask, embedder)


def _stores(settings: Settings, clock: Clock, observer: Observer, gate: Gate | None) -> Stores:
    stores = stores_from(settings, clock, partial(report_store_change, observer))
    return stores if gate is None else replace(stores, gate=gate)


def _warn(settings: Settings) -> None:
    """Logs what the settings leave to a default that an app should not keep."""
    if settings.routing == Routing():
        log.warning(
            "no [routing] in the settings: the default scorer sends the hardest-looking %s to the expensive tier; "
            "train your own: turnout train LOGS -o FILE",
            DEFAULT_SHARE,
        )
