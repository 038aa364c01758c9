"""Alerts on budgets that run out: one an alert and window, from whichever worker sees it first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.ports.runtime import Clock, Observer
from turnout.ports.sharing import Claims
from turnout.pricing import usd
from turnout.quota.budget_alert_rules import BudgetAlert, due, exhausted
from turnout.telemetry import names

log = logging.getLogger("turnout")

# Alerts that this process knows to be out; beyond them the store is asked again.
KNOWN_ALERTS = 10_000


class BudgetAlerts:
    """Checks budgets as they stand, and alerts by log, event and webhook. shares: of a limit, each in (0, 1].

    send: posts a payload to the webhook; None where none is configured.
    """

    def __init__(
        self,
        *,
        shares: Sequence[float],
        claims: Claims,
        clock: Clock,
        observer: Observer,
        send: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._shares = shares
        self._claims = claims
        self._clock = clock
        self._observer = observer
        self._send = send
        # When each alert that is out may be given again, by the clock's time.
        self._silent_until: dict[str, float] = {}

    async def check(self, states: Sequence[BudgetState], token: Any) -> None:
        """Alerts on each share that is reached, and where a budget will not last. token: the request's own."""
        now = self._clock.time()
        await self._alert_once(due(states, self._shares, now), token, now)

    async def check_refused(self, states: Sequence[BudgetState], refusing: BudgetClaim, token: Any) -> None:
        """Alerts on a budget that refused a call with nothing reserved in it."""
        now = self._clock.time()
        await self._alert_once(exhausted(states, refusing, now), token, now)

    async def _alert_once(self, alerts: Iterable[BudgetAlert], token: Any, now: float) -> None:
        for alert in alerts:
            if self._silent_until.get(alert.name, 0.0) > now:
                continue
            if len(self._silent_until) >= KNOWN_ALERTS:
                self._silent_until.clear()
            self._silent_until[alert.name] = now + alert.lasts_s(now)
            if await self._claims.claim(alert.name, alert.lasts_s(now)):
                self._alert(alert, token, now)

    def _alert(self, alert: BudgetAlert, token: Any, now: float) -> None:
        claim, state = alert.state.claim, alert.state
        if alert.kind == "spent":
            log.warning("the budget of %s: %g of %s USD is spent", claim.key, alert.share, f"{usd(claim.limit):f}")
        elif alert.kind == "exhausted":
            log.warning("the budget of %s, %s USD, has no room for another call", claim.key, f"{usd(claim.limit):f}")
        else:
            log.warning("the budget of %s will be used up in %.0f s, before its window ends", claim.key, alert.at - now)
        self._observer.event(
            token,
            names.EVENT_BUDGET_ALERT,
            {
                names.BUDGET_POLICY: claim.policy,
                names.BUDGET_ALERT: alert.kind,
                names.BUDGET_SHARE: alert.share,
            },
        )
        if self._send is not None:
            self._send(
                {
                    "type": f"turnout.budget.{alert.kind}",
                    "timestamp": int(now),
                    "data": {
                        "policy": claim.policy,
                        "key": claim.key,
                        "share": alert.share,
                        "limit_usd": f"{usd(claim.limit):f}",
                        "spent_usd": f"{usd(state.spent):f}",
                        "reserved_usd": f"{usd(state.reserved):f}",
                        "window_start": int(state.start),
                        "window_end": int(state.end),
                        "exhausted_at": int(alert.at),
                    },
                }
            )
