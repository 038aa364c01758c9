"""Builds the request path: what decides, what calls the models, what is cached, and the pipeline through them."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from turnout.assembly.common_parts import CommonParts, Plugs
from turnout.caching.keys import CacheKeys, policy_digest
from turnout.pipeline.call import Collaborators
from turnout.pipeline.embeddings import EmbeddingPipeline
from turnout.pipeline.pipeline import Pipeline
from turnout.pipeline.reservation import Reservations
from turnout.ports.scoring import Scorer
from turnout.ports.sharing import Claims, ShareStore
from turnout.quota.budget_alerts import BudgetAlerts
from turnout.quota.fitting import Fitting
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
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.chain import Chain
from turnout.upstream.model_rates import ModelRates

if TYPE_CHECKING:
    from turnout.caching.semantic.similar import SimilarQuestions
    from turnout.pipeline.cascade import CascadeCalls

log = logging.getLogger("turnout")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingParts:
    """What decides. share_sync: None where no other process keeps the share too; drift: None where the scorer was
    trained on no logs of this app."""

    scorer: Scorer
    router: Router
    share_sync: ShareSync | None
    drift: Drift | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParts:
    """The ways of a chat request and of a request for vectors, and what is looked at beside them."""

    routing: RoutingParts
    bulkhead: Bulkhead
    pipeline: Pipeline
    embeddings: EmbeddingPipeline


def build_path(common: CommonParts, plugs: Plugs) -> PathParts:
    """The parts; opens and calls nothing. Raises SettingsError."""
    settings = common.settings
    routing = _routing(common, plugs.get("scorer") or scorer_from(settings), plugs.get("share_store"))
    # Alone in its process, a breaker has nobody to share with.
    shared = common.stores.circuit_store if settings.redis is not None else None
    circuit_store = plugs.get("circuit_store") or shared
    bulkhead = Bulkhead(
        settings=settings,
        clock=common.clock,
        observer=common.observer,
        circuit_store=circuit_store,
        rates=_model_rates(common, circuit_store),
    )
    rng = random.Random().random
    chain = Chain(
        provider=common.provider,
        clock=common.clock,
        observer=common.observer,
        settings=settings,
        prices=common.prices,
        limits=common.limits,
        providers=common.providers,
        bulkhead=bulkhead,
        rng=rng,
    )
    collaborators = _collaborators(common, routing, bulkhead, chain)
    embeddings = EmbeddingPipeline(collaborators, common.stores.entries)
    similar = _similar(common, collaborators.keys.policy, embeddings, plugs.get("embedder"))
    collaborators = replace(collaborators, similar=similar)
    pipeline = Pipeline(collaborators, _cascade(collaborators, routing.scorer, plugs.get("chance") or rng))
    return PathParts(routing=routing, bulkhead=bulkhead, pipeline=pipeline, embeddings=embeddings)


def _routing(common: CommonParts, scorer: Scorer, share_store: ShareStore | None) -> RoutingParts:
    settings = common.settings
    _warn(settings)
    # The default scorer was trained on no logs of this app: its scores are uniform on no traffic.
    drift = None if scorer.is_default else Drift(training_rows_of(scorer))
    target = routing_target(settings, scorer)
    share_sync = share_sync_from(target, scorer, share_store or common.stores.share_store, common.clock)
    router = Router(
        catalog=common.catalog,
        scorer=scorer,
        target=target if share_sync is None else share_sync.control,
        seen=partial(watch, drift, common.observer),
        share_sync=share_sync,
        quality=quality_control_from(settings, scorer, target),
    )
    return RoutingParts(scorer=scorer, router=router, share_sync=share_sync, drift=drift)


def _warn(settings: Settings) -> None:
    """Logs what the settings leave to a default that an app should not keep."""
    if settings.routing == Routing():
        log.warning(
            "no [routing] in the settings: the default scorer sends the hardest-looking %s to the expensive tier; "
            "train your own: turnout train LOGS -o FILE",
            DEFAULT_SHARE,
        )


def _model_rates(common: CommonParts, claims: Claims | None) -> ModelRates | None:
    settings = common.settings
    limited = any(settings.model(name).rate for name in settings.every_model)
    if not limited:
        return None
    return ModelRates(settings=settings, clock=common.clock, gate=common.stores.gate, claims=claims)


def _collaborators(common: CommonParts, routing: RoutingParts, bulkhead: Bulkhead, chain: Chain) -> Collaborators:
    """What a pipeline works with, but for similar questions."""
    settings, stores = common.settings, common.stores
    return Collaborators(
        settings=settings,
        clock=common.clock,
        gate=stores.gate,
        flight_broker=stores.flight_broker,
        keys=CacheKeys(
            policy=policy_digest(settings, routing.scorer.version),
            scope=settings.cache.scope,
            # A cascade may leave streams to their question alone.
            streams_apart=settings.routing.cascade.mode == "on" and settings.routing.cascade.streams == "skip",
        ),
        catalog=common.catalog,
        router=routing.router,
        fitting=Fitting(settings, common.limits, common.over_responses),
        conversations=_conversations(common, routing),
        chain=chain,
        bulkhead=bulkhead,
        observer=common.observer,
        prices=common.prices,
        limits=common.limits,
        reservations=Reservations(
            settings=settings,
            clock=common.clock,
            gate=stores.gate,
            catalog=common.catalog,
            prices=common.prices,
            limits=common.limits,
        ),
        budget_alerts=BudgetAlerts(
            shares=settings.budgets.alert_at,
            claims=stores.circuit_store,
            clock=common.clock,
            observer=common.observer,
            send=common.sender.send if common.sender is not None else None,
        ),
    )


def _conversations(common: CommonParts, routing: RoutingParts) -> Conversations:
    return Conversations(
        settings=common.settings,
        catalog=common.catalog,
        prices=common.prices,
        limits=common.limits,
        providers=common.providers,
        has_room=routing.router.has_room,
        salt=salt_of(common.settings, os.environ),
        gain_at=getattr(routing.scorer, "gain_at", None),
    )


def _similar(
    common: CommonParts, policy: bytes, embeddings: EmbeddingPipeline, embedder: Callable[[str], Any] | None
) -> SimilarQuestions | None:
    settings, stores = common.settings, common.stores
    if not (settings.cache.enabled and settings.cache.semantic.enabled):
        return None
    # Imported here: an app without a semantic cache loads nothing of it.
    from turnout.assembly.semantic import build_similar

    ask = embeddings.embed_questions
    return build_similar(settings, common.clock, stores.semantic(), stores.check_store, policy, ask, embedder)


def _cascade(parts: Collaborators, scorer: Scorer, chance: Callable[[], float]) -> CascadeCalls | None:
    if parts.settings.routing.cascade.mode == "off":
        return None
    # Imported here: an app without a cascade loads nothing of it.
    from turnout.assembly.cascade import build_cascade

    return build_cascade(
        parts.settings,
        scorer,
        clock=parts.clock,
        chain=parts.chain,
        fitting=parts.fitting,
        conversations=parts.conversations,
        catalog=parts.catalog,
        router=parts.router,
        prices=parts.prices(),
        chance=chance,
    )
