"""What all other parts of a Turnout are built with: clock, provider, stores, prices, and who is told what happens."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypedDict

from turnout.api.access import StatusAccess
from turnout.clock import SystemClock
from turnout.ports.admission import Gate
from turnout.ports.runtime import Clock, Observer, Provider
from turnout.ports.scoring import Scorer
from turnout.ports.sharing import CircuitStore, ShareStore
from turnout.quota.own_parameters import require_bounded_params
from turnout.quota.policies import Policies
from turnout.routing.catalog import Catalog
from turnout.settings import Settings
from turnout.stores.factory import Stores, stores_from
from turnout.telemetry.counters import Counters
from turnout.telemetry.factory import observer_from, report_store_change, request_log_from
from turnout.telemetry.request_log import RequestLog
from turnout.upstream.model_providers import ModelProviders
from turnout.upstream.prices import PriceBook
from turnout.upstream.responses_models import ResponsesModels
from turnout.upstream.token_limits import LimitBook
from turnout.upstream.transports import provider_from
from turnout.webhooks.factory import sender_from
from turnout.webhooks.sender import WebhookSender


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonParts:
    """What all other parts are built with. over_responses: the models that are asked over the Responses API.
    sender: of alerts; None where the settings name no address for them."""

    settings: Settings
    clock: Clock
    provider: Provider
    catalog: Catalog
    prices: PriceBook
    limits: LimitBook
    providers: ModelProviders
    over_responses: ResponsesModels
    policies: Policies
    stores: Stores
    access: StatusAccess
    sender: WebhookSender | None
    counters: Counters
    request_log: RequestLog | None
    observer: Observer


def build_common(settings: Settings, plugs: Plugs) -> CommonParts:
    """The parts; opens nothing. Raises SettingsError, also where a budget applies and a model's price, or the bound of
    its parameters, is unknown."""
    clock = plugs.get("clock") or SystemClock()
    provider = plugs.get("provider") or provider_from(settings)
    catalog = Catalog(settings)
    request_log = request_log_from(settings, clock) if plugs.get("observer") is None else None
    prices = PriceBook(settings)
    access, sender = StatusAccess(settings, os.environ), sender_from(settings, clock)
    counters = Counters(settings, prices=prices, clock=clock, counting=access.on or sender is not None)
    observer = plugs.get("observer") or observer_from(settings, request_log, counters)
    stores = stores_from(settings, clock, partial(report_store_change, observer))
    gate = plugs.get("gate")
    policies = Policies(settings)
    if policies.budgeted:
        prices.require_all()
    require_bounded_params(settings, bounded=policies.bounded, prices=prices if policies.budgeted else None)
    prices.require_judge()
    return CommonParts(
        settings=settings,
        clock=clock,
        provider=provider,
        catalog=catalog,
        prices=prices,
        limits=LimitBook(settings),
        providers=ModelProviders(settings),
        over_responses=ResponsesModels(settings, os.environ),
        policies=policies,
        stores=stores if gate is None else replace(stores, gate=gate),
        access=access,
        sender=sender,
        counters=counters,
        request_log=request_log,
        observer=observer,
    )
