"""Gathers what the status page shows: the counts of a time, and what stores and circuits say now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from turnout.context import is_user_key, user_key
from turnout.ports.admission import Gate, Settlement
from turnout.ports.counting import MINUTE_S, TEN_MINUTES_S, TOTALS
from turnout.ports.limits import BudgetState
from turnout.ports.runtime import Clock
from turnout.quota.policies import Policies, endpoint_key
from turnout.settings import Settings
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.figures import Curves, merged, summary, usd
from turnout.telemetry.prometheus_text import GaugeRows
from turnout.telemetry.series import OTHER
from turnout.upstream.bulkhead import Bulkhead

RANGES = {"1h": 3600, "6h": 6 * 3600, "24h": 24 * 3600, "48h": 48 * 3600}
# One snapshot serves everybody who looks within so many seconds.
FRESH_S = 1.0
MOST_USERS = 20
# Buckets whose curves are computed in one turn of the loop.
SLICE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures come from. shared: other processes count into the same store. queue: the queue's figures; None
    where there is no queue. alerts: those that fire, and those that could not be delivered."""

    settings: Settings
    clock: Clock
    keeper: CountKeeper
    gate: Gate
    bulkhead: Bulkhead
    policies: Policies
    shared: bool
    alerts: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    queue: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    semantic: Callable[[], Mapping[str, Any]] | None = None

    async def queue_figures(self) -> Mapping[str, Any]:
        """How many jobs wait and how long the oldest has; zero and null where there is no queue."""
        return await self.queue() if self.queue is not None else {"depth": 0, "oldest_s": None}

    async def around(self) -> Mapping[str, Any]:
        """What the alerts look at beside the counts."""
        now = self.clock.time()
        keys = ["total", *(endpoint_key(endpoint) for endpoint in self.settings.endpoints)]
        budgets = [budget_figures(state, now) for state in await self.budget_states(keys, int(now))]
        circuits = circuits_of(self.settings.every_model, self.bulkhead)
        queue = await self.queue_figures()
        return {
            "circuits": {name: row["state"] != "closed" for name, row in circuits.items()},
            "budgets": {
                f"{row['key']} per {row['window']}": row["forecast_usd"] / row["limit_usd"]
                for row in budgets
                if row["forecast_usd"] is not None and row["limit_usd"] and row["spent_usd"] >= 0.2 * row["limit_usd"]
            },
            "queue_age_s": queue.get("oldest_s"),
        }

    async def budget_states(self, keys: Iterable[str], now: int) -> tuple[BudgetState, ...]:
        """The budgets of whomever these keys stand for, as the store holds them."""
        claims = tuple(claim for key in keys for claim in self.policies.of_key(key, now))
        return await self.gate.leave(Settlement(key=None, lease="", budgets=claims)) if claims else ()


class Snapshots:
    """Makes the figures of a time, each range's at most once a second."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._made: dict[str, tuple[float, dict[str, Any]]] = {}
        self._curves = Curves()

    async def of(self, name: str) -> dict[str, Any]:
        """The figures of a range of RANGES, as JSON can hold them."""
        now = self._sources.clock.monotonic()
        made = self._made.get(name)
        if made is not None and 0 <= now - made[0] < FRESH_S:
            return made[1]
        snapshot = await self._make(name)
        self._made[name] = (now, snapshot)
        return snapshot

    def forget(self) -> None:
        """Makes the next figures anew."""
        self._made.clear()

    async def _make(self, name: str) -> dict[str, Any]:
        sources = self._sources
        await sources.keeper.flush()
        now = int(sources.clock.time())
        step_s = MINUTE_S if name == "1h" else TEN_MINUTES_S
        steps = RANGES[name] // step_s
        start = now - now % step_s - (steps - 1) * step_s
        buckets = await sources.keeper.store.read(start, start + steps * step_s, step_s)
        (totals,) = await sources.keeper.store.read(0, 0, TOTALS)
        since = totals.series.get("since", now)
        ten_start = start - start % TEN_MINUTES_S
        spenders, decisions = await sources.keeper.store.rest(ten_start, start + steps * step_s)
        rows = [json.loads(decision) for decision in decisions]
        for first in range(0, steps, SLICE):
            # The first time takes a tenth of a second: requests go between.
            self._curves.of(buckets, start + first * step_s, step_s, min(SLICE, steps - first))
            await asyncio.sleep(0)
        figures = summary(merged(buckets), sources.settings.every_model)
        figures["routing"] |= self._routing(rows)
        figures["cascade"]["mode"] = sources.settings.routing.cascade.mode
        if sources.semantic is not None:
            figures["semantic"] |= {"enabled": True, **sources.semantic()}
        else:
            figures["semantic"]["enabled"] = False
        top = sorted(spenders.items(), key=lambda item: -item[1])[:MOST_USERS]
        counters = sources.keeper.counters
        return {
            "object": "turnout.status",
            "now": iso(now),
            "since": iso(max(start, since)),
            "range": name,
            "scope": "all workers" if sources.shared else "this process",
            "store": {
                "kind": "redis" if sources.shared else "memory",
                "up": counters.store_up and sources.keeper.reachable,
            },
            **figures,
            "circuits": circuits_of(sources.settings.every_model, sources.bulkhead),
            "alerts": [dict(alert) for alert in sources.alerts()],
            "top_users": [{"user": user, "cost_usd": usd(nanos)} for user, nanos in top],
            "decisions": rows,
            "over_time": self._curves.of(buckets, start, step_s, steps),
            "budgets": await self._budgets(figures["endpoints"], [user for user, _ in top], now),
            "queue": dict(await sources.queue_figures()),
        }

    def _routing(self, decisions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What was asked of the routing, and what it does now. decisions: the newest first."""
        routing, counters = self._sources.settings.routing, self._sources.keeper.counters
        thresholds = (row["threshold"] for row in decisions if row.get("threshold") is not None)
        return {
            "asked_share": routing.max_expensive_share,
            "keep_quality": routing.keep_quality,
            "threshold": next(thresholds, routing.threshold),
            "drift": counters.drift,
            "drift_novel_share": counters.novel,
        }

    async def _budgets(self, seen: Iterable[str], top: Iterable[str], now: int) -> list[dict[str, Any]]:
        """The budgets of all, of the endpoints configured and seen, and of the top spenders."""
        sources = self._sources
        if not (sources.policies.budgeted or sources.policies.has_checks):
            return []
        endpoints = dict.fromkeys((*sources.settings.endpoints, *sorted(set(seen) - {OTHER, ""})))
        users = [user if is_user_key(user) else user_key(user) for user in top]
        keys = ["total", "checks", *(endpoint_key(endpoint) for endpoint in endpoints), *users]
        return [budget_figures(state, now) for state in await sources.budget_states(keys, now)]

    async def totals(self) -> Mapping[str, int]:
        """Every series since the first count."""
        await self._sources.keeper.flush()
        (bucket,) = await self._sources.keeper.store.read(0, 0, TOTALS)
        return bucket.series

    async def gauges(self) -> GaugeRows:
        """What the metrics tell of this moment."""
        snapshot = await self.of("1h")
        budgets = snapshot["budgets"]
        rows: dict[str, list[tuple[tuple[str, ...], float]]] = {
            "circuit_open": [((name,), float(row["state"] != "closed")) for name, row in snapshot["circuits"].items()],
            "store_up": [((), float(snapshot["store"]["up"]))],
            "queue_depth": [((), float(snapshot["queue"]["depth"] or 0))],
            "queue_running": [((), float(snapshot["queue"].get("running") or 0))],
            "queue_workers": [((), float(snapshot["queue"].get("workers") or 0))],
            "queue_oldest": [((), float(snapshot["queue"].get("oldest_s") or 0.0))],
            # One row a rule: its subjects are many, and users among them.
            "alerts": [((rule,), 1.0) for rule in sorted({row["rule"] for row in snapshot["alerts"] if row["firing"]})],
        }
        for name in ("estimate", "bound", "hit_rate"):
            if snapshot["semantic"].get(name) is not None:
                rows[f"semantic_{name}"] = [((), snapshot["semantic"][name])]
        if snapshot["routing"]["drift"] is not None:
            rows["drift"] = [((), snapshot["routing"]["drift"])]
        # Of users none: they are many.
        for name in ("limit", "spent", "reserved", "forecast"):
            rows[f"budget_{name}"] = [
                ((row["key"], row["window"]), row[f"{name}_usd"])
                for row in budgets
                if row[f"{name}_usd"] is not None and row["policy"] != "user"
            ]
        return rows


def iso(seconds: float) -> str:
    """A time as ISO 8601 has it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def circuits_of(models: Iterable[str], bulkhead: Bulkhead) -> dict[str, Any]:
    """Each circuit's state and models, and how many calls of them are in progress."""
    table: dict[str, Any] = {}
    for model in models:
        name = bulkhead.circuit(model)
        state = bulkhead.guard.state(name)
        row = table.setdefault(
            name,
            {
                "state": state.phase,
                "paused": state.paused_until > 0,
                "misconfigured": state.misconfigured,
                "failures": state.failures,
                "models": [],
                "in_progress": 0,
            },
        )
        row["models"].append(model)
        row["in_progress"] += bulkhead.busy(model)
    return table


def budget_figures(state: BudgetState, now: float) -> dict[str, Any]:
    """One budget in USD. forecast_usd: what will be spent when its window ends, going on as so far; null of a rolling
    budget, and before a twentieth of the window is over."""
    claim = state.claim
    length, passed = state.end - state.start, now - state.start
    forecast = None
    if claim.rolling_s is None and length > 0 and passed >= 0.05 * length:
        forecast = round(usd(state.spent) * length / passed, 6)
    window = f"last {claim.rolling_s} s" if claim.rolling_s is not None else window_name(length)
    return {
        "policy": claim.policy,
        "key": claim.key,
        "window": window,
        "limit_usd": usd(claim.limit),
        "spent_usd": usd(state.spent),
        "reserved_usd": usd(state.reserved),
        "forecast_usd": forecast,
        "ends": None if claim.rolling_s is not None else iso(state.end),
    }


def window_name(seconds: float) -> str:
    """`day`, `week` or `month`, whatever the clock's change does to its length."""
    days = seconds / 86_400
    return "day" if days < 2 else "week" if days < 20 else "month"
