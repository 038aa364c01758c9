"""Looks at the rules every quarter of a minute, and tells of each alert once over all workers: by log and webhook."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from turnout.ports.counting import MINUTE_S, TEN_MINUTES_S, TOTALS
from turnout.ports.runtime import Clock
from turnout.ports.sharing import Claims
from turnout.telemetry.alert_rules import DAY_S, RECENT_S, SPIKE_S, Change, Hysteresis, Situation
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.figures import Counts, merged

log = logging.getLogger("turnout")

EVERY_S = 15.0
# What the last day says changes slowly.
DAY_EVERY_S = 300.0
# Longer than an episode; given back when it is over. A worker that starts in one later than this tells of it again.
CLAIM_S = 6 * 3600.0

SendAlert = Callable[[Mapping[str, Any]], None]
WebhookFormat = Literal["turnout", "slack"]


class AlertWatch:
    """Watches for one Turnout. around: what stands beside the counts (circuits, budgets, queue), as arguments of
    Situation. send: posts a payload; None where no webhook is configured."""

    def __init__(
        self,
        *,
        keeper: CountKeeper,
        claims: Claims,
        clock: Clock,
        around: Callable[[], Awaitable[Mapping[str, Any]]],
        send: SendAlert | None,
        body_format: WebhookFormat = "turnout",
    ) -> None:
        self._keeper = keeper
        self._claims = claims
        self._clock = clock
        self._around = around
        self._send = send
        self._format: WebhookFormat = body_format
        self._hysteresis = Hysteresis()
        self._looked_at = float("-inf")
        self._day: tuple[float, Counts, Mapping[str, int]] | None = None
        self._undelivered: dict[str, Any] | None = None

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that fire, and the last that could not be delivered."""
        rows: list[dict[str, Any]] = [
            {
                "rule": rule.name,
                "subject": subject,
                "value": round(value, 6),
                "firing": True,
                "message": rule.message(subject, value),
            }
            for (_, subject), (rule, value) in self._hysteresis.firing.items()
        ]
        return rows if self._undelivered is None else [*rows, self._undelivered]

    def note_undelivered(self, why: str) -> None:
        """Takes in that an alert's webhook was not taken."""
        self._undelivered = {"rule": "alert_delivery", "firing": False, "undelivered": why, "at": self._clock.time()}

    async def look(self) -> None:
        """Looks at the rules where it is time to."""
        now = self._clock.time()
        if now - self._looked_at < EVERY_S:
            return
        self._looked_at = now
        for change in self._hysteresis.look(await self._situation(now)):
            name = f"alert:{change.rule.name}:{change.subject}"
            if not change.firing:
                log.info("alert %s%s is over", change.rule.name, f" of {change.subject}" if change.subject else "")
                await self._claims.release(name)
            elif await self._claims.claim(name, CLAIM_S):
                self._tell(change, now)

    async def _situation(self, now: float) -> Situation:
        store = self._keeper.store
        minute = int(now) // MINUTE_S * MINUTE_S
        minutes = await store.read(minute - SPIKE_S + MINUTE_S, minute + MINUTE_S, MINUTE_S)
        recent = (bucket for bucket in minutes if bucket.start > minute - RECENT_S)
        ten = int(now) // TEN_MINUTES_S * TEN_MINUTES_S
        spent, _ = await store.rest(ten, ten + TEN_MINUTES_S)
        spent_last, _ = await store.rest(ten - TEN_MINUTES_S, ten)
        if self._day is None or now - self._day[0] >= DAY_EVERY_S:
            # Not the last full ten minutes: the fault would be held against itself.
            until = ten - TEN_MINUTES_S
            day = Counts(merged(await store.read(until - DAY_S, until, TEN_MINUTES_S)))
            before, _ = await store.rest(until - DAY_S, until)
            self._day = now, day, dict(before)
        (totals,) = await store.read(0, 0, TOTALS)
        counters = self._keeper.counters
        return Situation(
            recent=Counts(merged(recent)),
            day=self._day[1],
            spike=Counts(merged(minutes)),
            spent=sliding_sum(spent, spent_last, (now - ten) / TEN_MINUTES_S),
            spent_before=self._day[2],
            before_s=min(float(DAY_S), now - totals.series.get("since", now)),
            drift=counters.drift,
            store_up=counters.store_up and self._keeper.reachable,
            **await self._around(),
        )

    def _tell(self, change: Change, now: float) -> None:
        message = change.rule.message(change.subject, change.value)
        log.warning("alert %s: %s", change.rule.name, message)
        if self._send is not None and change.rule.sent:
            self._send(payload(change.rule.name, change.subject, change.value, message, now, self._format))


def sliding_sum(current: Mapping[str, int], last: Mapping[str, int], passed: float) -> dict[str, int]:
    """What was spent, by spender, in the bucket's length that ends now: this bucket, of which the share `passed` is
    over, and the rest of the last one, as if it had been spent evenly. A steady rate gives a steady sum."""
    sums = {name: round(nanos * (1 - passed)) for name, nanos in last.items()}
    for name, nanos in current.items():
        sums[name] = sums.get(name, 0) + nanos
    return sums


def payload(
    rule: str, subject: str, value: float, message: str, now: float, body_format: WebhookFormat
) -> dict[str, Any]:
    """The body of an alert's webhook: Standard Webhooks', or the one that Slack's incoming webhooks take."""
    if body_format == "slack":
        return {"text": f"Turnout: {message}"}
    return {
        "type": f"turnout.alert.{rule}",
        "timestamp": int(now),
        "data": {"rule": rule, "subject": subject, "value": round(value, 6), "message": message},
    }
