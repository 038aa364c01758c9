"""The alert rules over simulated hours: each fires on its fault, once, within five minutes; none in a quiet day."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from turnout.context import user_key
from turnout.pricing import Price
from turnout.records import Attempt, Decision, Outcome, Usage
from turnout.settings import Settings
from turnout.stores.memory.circuit_store import MemoryCircuitStore
from turnout.stores.memory.counter_store import MemoryCounterStore
from turnout.telemetry import names
from turnout.telemetry.alert_rules import RULES
from turnout.telemetry.alert_watch import AlertWatch, payload
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.counters import Counters
from turnout.testing import ManualClock

MODEL = "openai/small"
SETTINGS = Settings.of({"tiers": {"cheap": {"models": [MODEL]}, "expensive": {"models": ["openai/large"]}}})
TICK_S = 15


class Day:
    """An app's traffic in compressed time, a batch of requests every quarter of a minute, and the faults that it meets.
    claims: shared by the workers of an app."""

    def __init__(self, clock: ManualClock | None = None, claims: Any = None, store: Any = None) -> None:
        self.clock = clock or ManualClock(1_700_000_000)
        self.store = store or MemoryCounterStore(clock=self.clock)
        self.counters = Counters(SETTINGS, prices=dict[str, Price], clock=self.clock)
        self.around: dict[str, Any] = {"circuits": {MODEL: False}, "budgets": {"total per day": 0.5}, "queue_age_s": 1}
        self.sent: list[Mapping[str, Any]] = []
        self.fault = ""
        self.rng = random.Random(7)

        async def around() -> Mapping[str, Any]:
            return self.around

        self.watch = AlertWatch(
            keeper=CountKeeper(self.counters, self.store),
            claims=claims or MemoryCircuitStore(clock=self.clock),
            clock=self.clock,
            around=around,
            send=self.sent.append,
        )

    @property
    def rules(self) -> list[str]:
        return [message["data"]["rule"] for message in self.sent]

    async def go(self, minutes: float, per_tick: int = 12) -> None:
        """Lets so much time pass."""
        for _ in range(int(minutes * 60 / TICK_S)):
            for _ in range(per_tick):
                self._request()
            await self.watch._keeper.flush()
            await self.watch.look()
            await self.clock.advance(TICK_S)

    def spend(self, user: str, usd: Decimal) -> None:
        """A request of this user that costs so much."""
        attempt = Attempt(model=MODEL, tier="cheap", duration_s=1.0, cost_usd=usd)
        shown: Any = {"tier": "cheap", "model": MODEL, "reason": "scored", "cache": "miss_stored"}
        outcome = Outcome(request_id="r", decision=None, attempts=(attempt,), user=user, **shown)
        self.counters.request_ended(None, outcome)

    def _request(self) -> None:
        hit = self.rng.random() < (0.05 if self.fault == "hit_rate" else 0.4)
        error = {"provider_errors": "provider_error", "rate_limited": "rate_limited"}.get(self.fault)
        slow = 6.0 if self.fault == "inference_p95" else 1.0
        attempts: tuple[Attempt, ...] = ()
        if not hit:
            failed = error if error and self.rng.random() < 0.5 else None
            duration = slow * self.rng.uniform(0.5, 1.0)
            usage = Usage(prompt_tokens=10, completion_tokens=10)
            attempts = (Attempt(model=MODEL, tier="cheap", duration_s=duration, error=failed, usage=usage),)
            self.counters.attempt_ended(None, attempts[0])
        cost = 60_000_000 if self.fault == "spend_spike" else 1_000_000
        self.counters.add("cost", "/ask", "cheap", MODEL, amount=cost)
        outcome = Outcome(
            request_id=f"r{self.rng.random()}",
            decision=Decision(tier="cheap", reason="scored", candidates=(MODEL,), score=0.2, threshold=0.5),
            tier="cheap",
            model=MODEL,
            reason="cache" if hit else "scored",
            cache="hit" if hit else "miss_stored",
            attempts=attempts,
            endpoint="/ask",
            user="ann",
        )
        self.counters.request_ended(None, outcome)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def _begin(day: Day, fault: str) -> None:
    day.fault = fault
    match fault:
        case "circuit_open":
            day.around["circuits"] = {MODEL: True}
        case "queue_age":
            day.around["queue_age_s"] = 90.0
        case "budget_forecast":
            day.around["budgets"] = {"total per day": 1.2}
        case "drift":
            day.counters.event(None, names.EVENT_DRIFT_MEASURED, {names.DRIFT_DISTANCE: 0.3, names.NOVEL_SHARE: 0.0})
        case "store_lost":
            day.counters.event(None, names.EVENT_STORE_LOST, {})


def _end(day: Day) -> None:
    if day.fault == "drift":
        day.counters.event(None, names.EVENT_DRIFT_MEASURED, {names.DRIFT_DISTANCE: 0.1, names.NOVEL_SHARE: 0.0})
    if day.fault == "store_lost":
        day.counters.event(None, names.EVENT_STORE_FOUND, {})
    day.fault = ""
    day.around |= {"circuits": {MODEL: False}, "budgets": {"total per day": 0.5}, "queue_age_s": 1}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_fires_on_its_fault_once_and_is_over_after_it(rule: Any) -> None:
    """Within five minutes of simulated time, and no other rule with it."""

    async def scenario() -> None:
        day = Day()
        await day.go(90, per_tick=6)
        assert (day.sent, day.watch.firing()) == ([], [])
        _begin(day, rule.name)
        await day.go(5)
        firing = {row["rule"] for row in day.watch.firing()}
        assert firing == {rule.name}
        message = day.watch.firing()[0]["message"]
        assert "{" not in message
        assert len(message) > 60
        assert day.rules == ([rule.name] if rule.sent else [])
        await day.go(10)
        assert day.rules == ([rule.name] if rule.sent else [])
        _end(day)
        await day.go(20)
        assert day.watch.firing() == []
        assert day.rules == ([rule.name] if rule.sent else [])

    play(scenario)


def test_a_quiet_day_is_quiet() -> None:
    """24 hours of traffic that varies, and of none at night."""

    async def scenario() -> None:
        day = Day()
        for hour in range(24):
            await day.go(60, per_tick=0 if 2 <= hour < 5 else 1 + hour % 5)
        assert day.sent == []
        assert day.watch.firing() == []

    play(scenario)


def test_a_user_s_spike_is_one_episode_whatever_bucket_it_is_counted_in() -> None:
    """3 USD every ten minutes for 40 minutes: the sum slides, so that no new bucket ends the episode."""

    async def scenario() -> None:
        day = Day()
        await day.go(90, per_tick=0)
        for _ in range(4 * 40):
            day.spend("bob", Decimal("0.075"))
            await day.go(0.25, per_tick=0)
        subjects = [message["data"]["subject"] for message in day.sent]
        assert subjects == ["endpoint without a name", user_key("bob")]
        await day.go(20, per_tick=0)
        assert day.watch.firing() == []
        assert len(day.sent) == 2

    play(scenario)


def test_of_two_workers_one_tells() -> None:
    """Both see the same counts; the claim is one's."""

    async def scenario() -> None:
        one = Day()
        other = Day(one.clock, one.watch._claims, one.store)
        for day in (one, other):
            _begin(day, "circuit_open")
            await day.watch.look()
        assert (one.rules, other.rules) == (["circuit_open"], [])
        assert other.watch.firing()[0]["rule"] == "circuit_open"

    play(scenario)


def test_a_figure_that_trembles_at_its_bound_is_one_episode() -> None:
    """Between the two bounds nothing changes."""

    async def scenario() -> None:
        day = Day()
        for age in (61.0, 55.0, 61.0, 40.0, 70.0):
            day.around["queue_age_s"] = age
            await day.go(0.25, per_tick=0)
        assert day.rules == ["queue_age"]
        day.around["queue_age_s"] = 30.0
        await day.go(0.25, per_tick=0)
        assert day.watch.firing() == []

    play(scenario)


def test_an_alert_that_cannot_be_delivered_is_told_itself() -> None:
    """In the status, beside those that fire."""
    day = Day()
    day.watch.note_undelivered("answered 500")
    (row,) = day.watch.firing()
    assert (row["rule"], row["undelivered"], row["firing"]) == ("alert_delivery", "answered 500", False)


def test_the_body_is_turnout_s_or_slack_s() -> None:
    """Slack's incoming webhooks take a text."""
    own = payload("drift", "", 0.3, "It drifts.", 12.0, "turnout")
    assert (own["type"], own["timestamp"], own["data"]["message"]) == ("turnout.alert.drift", 12, "It drifts.")
    assert payload("drift", "", 0.3, "It drifts.", 12.0, "slack") == {"text": "Turnout: It drifts."}
    json.dumps(own)
