"""Which rate limits and budgets apply to a caller: settings and caller in, claims out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from turnout.context import Caller, endpoint_name
from turnout.ports.limits import BudgetClaim, RateClaim
from turnout.pricing import nano
from turnout.quota.windows import windows_around
from turnout.settings import Budget, Endpoint, Rate, Settings


class Policies:
    """The limits and budgets of the settings. `[endpoints."/x"]` rate and budget stand in the place of
    `per_endpoint` at that endpoint."""

    def __init__(self, settings: Settings) -> None:
        self._limits = replace(
            settings.limits,
            per_user=strictest(settings.limits.per_user),
            per_endpoint=strictest(settings.limits.per_endpoint),
            per_user_endpoint=strictest(settings.limits.per_user_endpoint),
        )
        self._budgets = replace(
            settings.budgets,
            per_user=strictest(settings.budgets.per_user),
            per_endpoint=strictest(settings.budgets.per_endpoint),
            total=strictest(settings.budgets.total),
        )
        self._endpoints = {
            name: replace(endpoint, rate=strictest(endpoint.rate), budget=strictest(endpoint.budget))
            for name, endpoint in settings.endpoints.items()
        }
        cache = settings.cache
        checked = cache.enabled and cache.semantic.enabled
        self._checks = strictest(cache.semantic.checks_usd) if checked else ()
        self._zone = ZoneInfo(settings.budgets.time_zone)
        own = settings.endpoints.values()
        limits = settings.limits
        self.limited = bool(
            limits.per_user
            or limits.per_endpoint
            or limits.per_user_endpoint
            or limits.per_user_concurrent
            or any(e.rate for e in own)
        )
        self.budgeted = settings.budgets.any or any(endpoint.budget for endpoint in own)
        rates = (limits.per_user, limits.per_endpoint, limits.per_user_endpoint, *(endpoint.rate for endpoint in own))
        # Whether money or tokens are held before calls.
        self.bounded = self.budgeted or any(rate.unit == "tokens" for each in rates for rate in each)

    @property
    def any(self) -> bool:
        """Whether anything applies to anybody."""
        return self.limited or self.budgeted

    @property
    def has_checks(self) -> bool:
        """Whether there is a budget of the calls that check semantic hits."""
        return bool(self._checks)

    def rates(self, caller: Caller) -> tuple[RateClaim, ...]:
        """The limits that apply, that of calls in progress last. Of token limits the amount is still to be said."""
        if not self.limited:
            return ()
        user, endpoint = caller.user_key, endpoint_key(caller.endpoint)
        claims = (
            *_rate_claims("user", user, self._limits.per_user),
            *_rate_claims("endpoint", endpoint, self._own(caller).rate or self._limits.per_endpoint),
            *_rate_claims("user-endpoint", f"{user} {endpoint}", self._limits.per_user_endpoint),
        )
        if (most := self._limits.per_user_concurrent) is not None:
            claims = (*claims, RateClaim(policy="user", key=user, limit=most, window_s=0, unit="calls"))
        return tuple(claim for claim in claims if claim.unit != "requests") if caller.admitted else claims

    def budgets(self, caller: Caller, now: float) -> tuple[BudgetClaim, ...]:
        """The budgets that apply, their calendar windows around now (seconds since 1970)."""
        if not self.budgeted:
            return ()
        own = self._own(caller).budget or self._budgets.per_endpoint
        return (
            *self._claims("user", caller.user_key, self._budgets.per_user, now),
            *self._claims("endpoint", endpoint_key(caller.endpoint), own, now),
            *self._claims("total", "total", self._budgets.total, now),
        )

    def total_budgets(self, now: float) -> tuple[BudgetClaim, ...]:
        """The budget of all calls together."""
        return tuple(self._claims("total", "total", self._budgets.total, now))

    def check_budgets(self, now: float) -> tuple[BudgetClaim, ...]:
        """The budgets of the calls that check semantic hits."""
        return (
            *self._claims("checks", "checks", self._checks, now),
            *self._claims("total", "total", self._budgets.total, now),
        )

    def of_key(self, key: str, now: float) -> tuple[BudgetClaim, ...]:
        """The budgets of whoever this key stands for, as they are set now."""
        policy, _, name = key.partition(":")
        own = self._endpoints.get(name) or _NOTHING
        budgets = {
            "user": self._budgets.per_user,
            "endpoint": own.budget or self._budgets.per_endpoint,
            "total": self._budgets.total,
            "checks": self._checks,
        }
        return tuple(self._claims(policy, key, budgets.get(policy, ()), now))

    def _own(self, caller: Caller) -> Endpoint:
        return self._endpoints.get(caller.endpoint) or _NOTHING

    def _claims(self, policy: str, key: str, budgets: Sequence[Budget], now: float) -> Iterable[BudgetClaim]:
        for budget in budgets:
            window: dict[str, Any] = {"rolling_s": budget.rolling_s}
            if budget.calendar is not None:
                window = {"windows": windows_around(budget.calendar, self._zone, now)}
            yield BudgetClaim(policy=policy, key=key, limit=nano(budget.usd), **window)


_NOTHING = Endpoint()
Bound = TypeVar("Bound", Rate, Budget)


def strictest(bounds: Sequence[Bound]) -> tuple[Bound, ...]:
    """Returns the bounds, of each window the lowest alone: two of one window would share its account, and each call
    would count in it twice."""
    by_window: dict[tuple[object, ...], Bound] = {}
    for bound in sorted(bounds, key=_amount):
        window = (bound.window_s, bound.unit) if isinstance(bound, Rate) else (bound.calendar, bound.rolling_s)
        by_window.setdefault(window, bound)
    kept = {id(bound) for bound in by_window.values()}
    return tuple(bound for bound in bounds if id(bound) in kept)


def _amount(bound: Rate | Budget) -> Decimal:
    return Decimal(bound.limit) if isinstance(bound, Rate) else bound.usd


def _rate_claims(policy: str, key: str, rates: Sequence[Rate]) -> Iterable[RateClaim]:
    for rate in rates:
        yield RateClaim(policy=policy, key=key, limit=rate.limit, window_s=rate.window_s, unit=rate.unit)


def endpoint_key(endpoint: str) -> str:
    """The endpoint's name in keys."""
    return "endpoint:" + endpoint_name(endpoint)
