"""An Ask's claims as enter.lua reads them, and the states that it tells, read back. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnout.ports.admission import Ask
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState
from turnout.ports.sharing import Circuit

# What rides along: the keyword arguments of an Entry beside its verdict.
States = dict[str, Any]
# A Tally's debts are whole numbers in Redis, in millionths of a call: sums of them are exact.
MILLIONTHS = 1_000_000


def packed_claims(ask: Ask) -> str:
    """The claims as one JSON object, "" where there are none."""
    if not (ask.rates or ask.budgets or ask.circuits or ask.share_store):
        return ""
    return json.dumps(
        {
            "rates": [_rate(claim) for claim in ask.rates],
            "budgets": [_budget(claim) for claim in ask.budgets],
            "worst": ask.worst,
            "lease_ms": round(ask.lease_s * 1000),
            "circuits": ask.circuits,
            "tally": ask.share_store,
        },
        separators=(",", ":"),
    )


def packed_states(rates: Sequence[RateState], budgets: Sequence[BudgetState]) -> str:
    """Claims and how they stood, as restore.lua reads them."""
    return json.dumps(
        {
            "rates": [[*_rate(s.claim), s.remaining, round(s.reset_s * 1000)] for s in rates],
            "budgets": [[*_budget(s.claim), s.spent, s.reserved, s.start, s.end] for s in budgets],
        },
        separators=(",", ":"),
    )


def _rate(claim: RateClaim) -> list[Any]:
    return [claim.key, claim.limit, claim.window_s, claim.unit, claim.amount, claim.policy]


def _budget(claim: BudgetClaim) -> list[Any]:
    return [claim.key, claim.limit, claim.windows, claim.rolling_s or 0, claim.policy]


def states(ask: Ask, told: bytes) -> States:
    """From the JSON of enter.lua, in the order of the claims. "" tells nothing."""
    if not told:
        return {}
    # An empty Lua table is written as {}: iterated over, it is as empty as [].
    value = json.loads(told)
    return {
        "rates": tuple(
            RateState(claim=claim, remaining=int(remaining), reset_s=int(reset_ms) / 1000)
            for claim, (remaining, reset_ms) in zip(ask.rates, value["rates"], strict=False)
        ),
        "budgets": _budget_states(ask.budgets, value["budgets"]),
        "circuits": {
            name: Circuit(open=is_open == "1", open_for_s=int(open_ms) / 1000, paused_for_s=int(paused_ms) / 1000)
            for name, is_open, open_ms, paused_ms in value["circuits"]
        },
        "debt": int(value["debt"]) / MILLIONTHS if ask.share_store else None,
    }


def packed_budgets(claims: Sequence[BudgetClaim]) -> str:
    """The budgets that leave.lua is to tell the states of, "" for none."""
    return json.dumps([_budget(claim) for claim in claims], separators=(",", ":")) if claims else ""


def budget_states(claims: Sequence[BudgetClaim], told: bytes) -> tuple[BudgetState, ...]:
    """From the JSON of leave.lua."""
    return _budget_states(claims, json.loads(told)) if told else ()


def _budget_states(claims: Sequence[BudgetClaim], told: Any) -> tuple[BudgetState, ...]:
    return tuple(
        BudgetState(claim=claim, spent=int(spent), reserved=int(reserved), start=float(start), end=float(end))
        for claim, (spent, reserved, start, end) in zip(claims, told, strict=False)
    )


def rate_refused(ask: Ask, detail: bytes) -> RateRefused:
    index, wait_ms = detail.split()
    return RateRefused(claim=ask.rates[int(index) - 1], retry_after_s=int(wait_ms) / 1000)


def budget_refused(ask: Ask, detail: bytes) -> BudgetRefused:
    index, wait_ms = detail.split()
    return BudgetRefused(claim=ask.budgets[int(index) - 1], retry_after_s=int(wait_ms) / 1000)
