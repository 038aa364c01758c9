"""Alerts: at each share, on a forecast, once a window for all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.quota.budget_alert_rules import due
from turnout.quota.budget_alerts import BudgetAlerts
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.testing import ManualClock

CLAIM = BudgetClaim(policy="total", key="total", limit=1000, windows=((0, 1000), (1000, 2000)))


def state(spent: int, start: int = 0) -> BudgetState:
    return BudgetState(claim=CLAIM, spent=spent, reserved=0, start=start, end=start + 1000)


class Events:
    def __init__(self) -> None:
        self.attributes: list[Mapping[str, Any]] = []

    def event(self, token: Any, name: str, attributes: Mapping[str, Any]) -> None:
        self.attributes.append({"name": name, **attributes})


def test_a_forecast_says_when_the_budget_will_be_used_up() -> None:
    """Going on as so far; not in the first moments, not of a little, not where it lasts."""
    (found,) = due([state(400)], [], 200)
    assert (found.kind, found.at) == ("forecast", 500)
    assert list(due([state(400)], [], 10)) == []
    assert list(due([state(100)], [], 60)) == []
    assert list(due([state(400)], [], 500)) == []


def test_each_alert_is_told_once_a_window_by_one_of_the_workers() -> None:
    """Two workers see every state; the highest share that is reached is told, anew in the next window."""

    async def scenario() -> None:
        clock, events, sent = ManualClock(0.0), Events(), []
        claims = MemoryCircuitStore(clock=clock)
        shares = (0.5, 0.8, 1.0)
        workers = [
            BudgetAlerts(shares=shares, claims=claims, clock=clock, observer=events, send=sent.append)  # type: ignore[arg-type]
            for _ in range(2)
        ]
        await clock.advance(600)
        for spent in (499, 500, 550, 800, 1000, 1000):
            for worker in workers:
                await worker.check([state(spent)], None)
        await clock.advance(500)
        for worker in workers:
            await worker.check([state(520, start=1000)], None)
        shares = [(e["turnout.budget.alert.kind"], e["turnout.budget.share"]) for e in events.attributes]
        assert shares == [
            ("spent", 0.5),
            ("spent", 0.8),
            ("forecast", 1.0),
            ("spent", 1.0),
            ("spent", 0.5),
            ("forecast", 1.0),
        ]
        assert len(sent) == 6
        assert sent[1]["type"] == "turnout.budget.spent"
        assert sent[1]["data"]["spent_usd"] == "0.0000008"

    asyncio.run(scenario())


def test_a_budget_whose_rest_fits_no_call_is_told_as_exhausted() -> None:
    """Worst cases are held before each call, so it stops short of 100 %; once a window, not while something is out."""

    async def scenario() -> None:
        clock, events = ManualClock(0.0), Events()
        claims = MemoryCircuitStore(clock=clock)
        budget_alerts = BudgetAlerts(shares=(1.0,), claims=claims, clock=clock, observer=events)  # type: ignore[arg-type]
        await budget_alerts.check_refused([replace(state(810), reserved=1)], CLAIM, None)
        assert events.attributes == []
        for _ in range(2):
            await budget_alerts.check_refused([state(810)], CLAIM, None)
        assert [event["turnout.budget.alert.kind"] for event in events.attributes] == ["exhausted"]

    asyncio.run(scenario())
