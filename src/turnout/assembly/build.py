"""`build(settings)`: the one place that builds the parts of a Turnout and hands each what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from turnout.api.chat import Chat
from turnout.api.completions import Completions
from turnout.api.embeddings import EmbeddingsApi
from turnout.api.messages import AnthropicMessages
from turnout.api.models import ModelList
from turnout.api.responses import ResponsesApi
from turnout.api.routes import Api, Routes, Wires, route_table
from turnout.assembly.common_parts import CommonParts, Plugs, build_common
from turnout.assembly.request_path import PathParts, build_path
from turnout.assembly.status import StatusParts, build_status
from turnout.assembly.unmet_settings import with_others
from turnout.caching.kept_responses import ResponseStore
from turnout.errors import SettingsError
from turnout.home_loop import HomeLoop
from turnout.pipeline.pipeline import Pipeline
from turnout.ports.runtime import Provider
from turnout.routing.drift import Drift
from turnout.routing.share_sync import ShareSync
from turnout.settings import Settings
from turnout.stores.factory import Stores, kept_entries_from
from turnout.telemetry.request_log import RequestLog
from turnout.telemetry.ticker import Ticker
from turnout.upstream import litellm_import
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.prices import PriceBook
from turnout.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from turnout.assembly.queue import QueueParts
    from turnout.stores.sqlite.entries import SqliteEntries


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
    """The parts of a Turnout of these settings. Opens and calls nothing. Raises SettingsError for all that the
    environment and the files that they name do not bear out."""
    try:
        return _built(settings, plugs)
    except SettingsError as error:
        raise with_others(error, settings, plugs) from error


def _built(settings: Settings, plugs: Plugs) -> Parts:
    common = build_common(settings, plugs)
    path = build_path(common, plugs)
    chat = _chat(settings, path.pipeline)
    kept_entries = kept_entries_from(settings, common.clock)
    wires = _wires(common, path, chat, ResponseStore(kept_entries or common.stores.entries, settings.responses.ttl_s))
    queue = _queue(common, path, chat, wires, plugs.get("works"))
    status = _status(common, path, queue, needs_litellm=plugs.get("provider") is None)
    return Parts(
        api=_api(common, chat, wires, status, queue),
        pipeline=path.pipeline,
        provider=common.provider,
        stores=common.stores,
        kept_entries=kept_entries,
        prices=common.prices,
        budgeted=common.policies.budgeted,
        bulkhead=path.bulkhead,
        share_sync=path.routing.share_sync,
        drift=path.routing.drift,
        sender=common.sender,
        request_log=common.request_log,
        ticker=status.ticker,
        queue=queue,
    )


def _chat(settings: Settings, pipeline: Pipeline) -> Chat:
    return Chat(
        pipeline,
        path=settings.server.chat_path,
        max_params_bytes=settings.server.max_params_bytes,
        conversation_fields=settings.routing.conversation.fields,
    )


def _wires(common: CommonParts, path: PathParts, chat: Chat, kept: ResponseStore) -> Wires:
    """What answers chat completions in other protocols, and embeddings. kept: the responses that can be asked for."""
    server, over_responses = common.settings.server, common.over_responses
    return Wires(
        messages=AnthropicMessages(chat, common.observer),
        responses=ResponsesApi(chat, kept, server.responses_path, server.max_body_bytes, lambda: bool(over_responses)),
        embeddings=EmbeddingsApi(path.embeddings, server.max_params_bytes),
        completions=Completions(chat),
    )


def _queue(common: CommonParts, path: PathParts, chat: Chat, wires: Wires, works: bool | None) -> QueueParts | None:
    if common.settings.queue is None:
        return None
    # Imported here: an app without a queue loads nothing of it.
    from turnout.assembly.queue import build_queue

    adapters = (wires.messages, wires.responses, wires.completions)
    return build_queue(common.settings, common.clock, common.observer, chat, path.pipeline, adapters, works=works)


def _status(common: CommonParts, path: PathParts, queue: QueueParts | None, *, needs_litellm: bool) -> StatusParts:
    return build_status(
        common,
        bulkhead=path.bulkhead,
        semantic=path.pipeline.semantic,
        is_ready=litellm_import.loaded if needs_litellm else lambda: True,
        queue_figures=None if queue is None else queue.figures,
        queue_warning=None if queue is None else queue.submissions.warning,
    )


def _api(common: CommonParts, chat: Chat, wires: Wires, status: StatusParts, queue: QueueParts | None) -> Api:
    models = ModelList(common.catalog.names, common.catalog.models_of, common.limits)
    table = route_table(common.settings.server, chat, models, status.pages, wires)
    return Api(
        settings=common.settings,
        clock=common.clock,
        home=HomeLoop(),
        chat=chat,
        embeddings=wires.embeddings,
        responses=wires.responses,
        routes=Routes((*table, *(queue.routes if queue is not None else ()))),
        counters=common.counters,
        observer=common.observer,
        forget=status.keeper.forget,
    )
