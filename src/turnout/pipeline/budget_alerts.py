"""Tells of budgets that run out: once a window, whoever of the workers finds it first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from turnout.ports.limits import BudgetClaim, BudgetState
from turnout.ports.runtime import Clock, Observer
from turnout.pricing import usd
from turnout.quota.alerts import Alert, due, exhausted
from turnout.telemetry import names

log = logging.getLogger("turnout")

# Alerts remembered as told, here; beyond them the store is asked again.
REMEMBERED = 10_000


class Once(Protocol):
    """Who does what is to be done once."""

    async def claim(self, name: str, lease_s: float) -> bool:
        """Whether it is ours to do, for all workers, within so many seconds."""
        ...


class BudgetAlerts:
    """Looks at budgets as they stand after a settlement. send: where a webhook is configured."""

    def __init__(
        self,
        *,
        shares: Sequence[float],
        once: Once,
        clock: Clock,
        observer: Observer,
        send: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._shares = shares
        self._once = once
        self._clock = clock
        self._observer = observer
        self._send = send
        self._told: dict[str, float] = {}

    async def look(self, states: Sequence[BudgetState], token: Any) -> None:
        now = self._clock.time()
        await self._tell_once(due(states, self._shares, now), token, now)

    async def refused(self, states: Sequence[BudgetState], refusing: BudgetClaim, token: Any) -> None:
        """Looks at a budget that refused a call."""
        now = self._clock.time()
        await self._tell_once(exhausted(states, refusing, now), token, now)

    async def _tell_once(self, alerts: Iterable[Alert], token: Any, now: float) -> None:
        for alert in alerts:
            if self._told.get(alert.name, 0.0) > now:
                continue
            if len(self._told) >= REMEMBERED:
                self._told.clear()
            self._told[alert.name] = now + alert.lasts_s(now)
            if await self._once.claim(alert.name, alert.lasts_s(now)):
                self._tell(alert, token, now)

    def _tell(self, alert: Alert, token: Any, now: float) -> None:
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
