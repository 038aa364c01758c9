"""Builds the parts that count, show and warn: the status page, the metrics, feedback, health and the alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from turnout.api.feedback import Feedback
from turnout.api.health import Health
from turnout.api.routes import OwnPages
from turnout.api.status import StatusApi
from turnout.api.status_snapshot import Snapshots, Sources
from turnout.assembly.common_parts import CommonParts
from turnout.ports.runtime import Clock
from turnout.telemetry.alert_watch import AlertWatch
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.feedback_log import FeedbackLog
from turnout.telemetry.ticker import Ticker
from turnout.upstream.bulkhead import Bulkhead

if TYPE_CHECKING:
    from turnout.pipeline.semantic import SemanticAnswers


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusParts:
    """The parts of a status page. ticker: hands the counts on; None where nobody may read them."""

    pages: OwnPages
    keeper: CountKeeper
    ticker: Ticker | None


def build_status(
    common: CommonParts,
    *,
    bulkhead: Bulkhead,
    semantic: SemanticAnswers | None,
    is_ready: Callable[[], bool],
    queue_figures: Callable[[], Awaitable[Mapping[str, Any]]] | None,
    queue_warning: Callable[[], Awaitable[str]] | None,
) -> StatusParts:
    """The parts; opens nothing. is_ready: whether nothing slow is left for a request to wait for. queue_figures,
    queue_warning: what is shown of the job queue, and what is wrong with it; None where there is none."""
    clock, stores = common.clock, common.stores
    keeper = CountKeeper(common.counters, stores.counter_store)
    sources = Sources(
        settings=common.settings,
        clock=clock,
        keeper=keeper,
        gate=stores.gate,
        bulkhead=bulkhead,
        policies=common.policies,
        shared=common.settings.redis is not None,
        queue=queue_figures,
        semantic=None if semantic is None else semantic.figures,
    )
    alert_watch = _alert_watch(common, keeper, sources)
    pages = OwnPages(
        status=StatusApi(common.access, Snapshots(replace(sources, alerts=alert_watch.firing)), clock),
        feedback=_feedback(common, keeper, semantic),
        health=Health(is_ready, [each for each in (stores.warning, queue_warning) if each is not None]),
    )
    return StatusParts(pages=pages, keeper=keeper, ticker=_ticker(keeper, alert_watch, clock, shared=sources.shared))


def _alert_watch(common: CommonParts, keeper: CountKeeper, sources: Sources) -> AlertWatch:
    """What warns; it hears of the messages that could not be delivered."""
    alert_watch = AlertWatch(
        keeper=keeper,
        claims=common.stores.circuit_store,
        clock=common.clock,
        around=sources.around,
        send=None if common.sender is None else common.sender.send,
        body_format=common.settings.alerts.format,
    )
    if common.sender is not None:
        common.sender.on_undelivered = alert_watch.note_undelivered
    return alert_watch


def _feedback(common: CommonParts, keeper: CountKeeper, semantic: SemanticAnswers | None) -> Feedback:
    path = common.settings.log.path
    return Feedback(
        access=common.access,
        keeper=keeper,
        cache_admin=common.stores.cache_admin,
        clock=common.clock,
        feedback_log=FeedbackLog(path) if path else None,
        shared=common.settings.redis is not None,
        report_wrong=None if semantic is None else semantic.report_wrong,
    )


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
