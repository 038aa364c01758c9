"""Builds the parts that count, show and warn: the status page, the metrics, feedback, health and the alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from turnout.api.access import StatusAccess
from turnout.api.feedback import Feedback
from turnout.api.health import Health
from turnout.api.routes import OwnPages
from turnout.api.status import StatusApi
from turnout.api.status_snapshot import Snapshots, Sources
from turnout.ports.runtime import Clock
from turnout.quota.policies import Policies
from turnout.settings import Settings
from turnout.stores.factory import Stores
from turnout.telemetry.alert_watch import AlertWatch
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.counters import Counters
from turnout.telemetry.feedback_log import FeedbackLog
from turnout.telemetry.ticker import Ticker
from turnout.upstream.bulkhead import Bulkhead
from turnout.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from turnout.pipeline.semantic import SemanticAnswers


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusParts:
    """The parts of a status page. ticker: hands the counts on; None where nobody may read them."""

    pages: OwnPages
    keeper: CountKeeper
    ticker: Ticker | None


def build_status(
    settings: Settings,
    *,
    clock: Clock,
    stores: Stores,
    access: StatusAccess,
    counters: Counters,
    bulkhead: Bulkhead,
    policies: Policies,
    sender: WebhookSender | None,
    is_ready: Callable[[], bool],
    queue_figures: Callable[[], Awaitable[Mapping[str, Any]]] | None = None,
    queue_warning: Callable[[], Awaitable[str]] | None = None,
    semantic: SemanticAnswers | None = None,
) -> StatusParts:
    """The parts; opens nothing. is_ready: whether nothing slow is left for a request to wait for. queue_figures,
    queue_warning: what is shown of the job queue, and what is wrong with it; None where there is none."""
    shared = settings.redis is not None
    keeper = CountKeeper(counters, stores.counter_store)
    sources = Sources(
        settings=settings,
        clock=clock,
        keeper=keeper,
        gate=stores.gate,
        bulkhead=bulkhead,
        policies=policies,
        shared=shared,
        queue=queue_figures,
        semantic=None if semantic is None else semantic.figures,
    )
    alert_watch = AlertWatch(
        keeper=keeper,
        claims=stores.circuit_store,
        clock=clock,
        around=sources.around,
        send=None if sender is None else sender.send,
        body_format=settings.alerts.format,
    )
    if sender is not None:
        sender.on_undelivered = alert_watch.note_undelivered
    pages = OwnPages(
        status=StatusApi(access, Snapshots(replace(sources, alerts=alert_watch.firing)), clock),
        feedback=Feedback(
            access=access,
            keeper=keeper,
            cache_admin=stores.cache_admin,
            clock=clock,
            feedback_log=FeedbackLog(settings.log.path) if settings.log.path else None,
            shared=shared,
            report_wrong=None if semantic is None else semantic.report_wrong,
        ),
        health=Health(is_ready, [each for each in (stores.warning, queue_warning) if each is not None]),
    )
    return StatusParts(pages=pages, keeper=keeper, ticker=_ticker(keeper, alert_watch, clock, shared=shared))


def _ticker(keeper: CountKeeper, alert_watch: AlertWatch, clock: Clock, *, shared: bool) -> Ticker | None:
    tick: Callable[[], Awaitable[bool]]
    if keeper.counters.counting:
        tick = partial(_count_and_look, keeper, alert_watch)
    elif shared:
        tick = keeper.flush_all
    else:
        return None
    ticker = Ticker(tick, clock)
    keeper.counters.changed = ticker.start
    return ticker


async def _count_and_look(keeper: CountKeeper, alerts: AlertWatch) -> bool:
    """A second's work of the process; there is always more."""
    await keeper.flush()
    await alerts.look()
    return True
