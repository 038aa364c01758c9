"""Encodes claims for the Lua scripts, and decodes the verdicts and states that they return. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnout.ports.admission import Ask, Follow, GateVerdict, Hit, Lead, PinUpdate, Stored
from turnout.ports.limits import BudgetClaim, BudgetRefused, BudgetState, RateClaim, RateRefused, RateState
from turnout.ports.sharing import Circuit
from turnout.stores.outage_book import Report

# The keyword arguments of an Entry beside its verdict.
States = dict[str, Any]
# The debts of shares are whole numbers in Redis, in millionths of a call: their sums are exact.
MILLIONTHS = 1_000_000


def encode_claims(ask: Ask, *, worker: str = "", session: str = "", patient: bool = False) -> str:
    """Returns an Ask's claims as enter.lua reads them, one JSON object; "" where there are none."""
    if not (ask.rates or ask.budgets or ask.circuits or ask.share_name):
        return ""
    return json.dumps(
        {
            "rates": [_encode_rate(claim) for claim in ask.rates],
            "budgets": [_encode_budget(claim) for claim in ask.budgets],
            "worst": ask.worst,
            "lease_ms": round(ask.lease_s * 1000),
            "circuits": ask.circuits,
            "share": ask.share_name,
            "worker": worker,
            "session": session,
            "patient": patient,
        },
        separators=(",", ":"),
    )


def encode_states(rates: Sequence[RateState], budgets: Sequence[BudgetState]) -> str:
    """Returns claims and their last known states as restore.lua reads them."""
    return json.dumps(
        {
            "rates": [[*_encode_rate(s.claim), s.remaining, round(s.reset_s * 1000)] for s in rates],
            "budgets": [[*_encode_budget(s.claim), s.spent, s.reserved, s.start, s.end] for s in budgets],
        },
        separators=(",", ":"),
    )


def encode_report(report: Report) -> str:
    """Returns a report as report.lua reads it."""
    return json.dumps(
        {
            "rates": [[*_encode_rate(claim), amounts] for claim, amounts in report.rates],
            "budgets": [
                [*_encode_budget(claim), *(window or (0, 0)), amounts] for claim, window, amounts in report.budgets
            ],
            "calls": [
                [
                    lease,
                    round(call.lease_s * 1000),
                    [_encode_rate(claim) for claim in call.rates],
                    [_encode_budget(claim) for claim in call.budgets],
                    call.cost,
                    call.tokens,
                ]
                for lease, call in report.calls
            ],
        },
        separators=(",", ":"),
    )


def decode_reported(report: Report, reply: bytes) -> tuple[tuple[RateState, ...], tuple[BudgetState, ...]]:
    """Returns how the accounts of a report stand, as report.lua returned it."""
    rates, budgets = json.loads(reply)
    return (
        _decode_rates([claim for claim, _ in report.rates], rates),
        _decode_budgets([claim for claim, *_ in report.budgets], budgets),
    )


def _encode_rate(claim: RateClaim) -> list[Any]:
    return [claim.key, claim.limit, claim.window_s, claim.unit, claim.amount, claim.policy]


def _encode_budget(claim: BudgetClaim) -> list[Any]:
    return [claim.key, claim.limit, claim.windows, claim.rolling_s or 0, claim.policy]


def decode_states(ask: Ask, reply: bytes) -> States:
    """Returns the states that enter.lua returned as JSON, in the order of the claims; none for ""."""
    if not reply:
        return {}
    # An empty Lua table is written as {}: iterated over, it is as empty as [].
    value = json.loads(reply)
    return {
        "rates": _decode_rates(ask.rates, value["rates"]),
        "budgets": _decode_budgets(ask.budgets, value["budgets"]),
        "circuits": {
            name: Circuit(open=is_open == "1", open_for_s=int(open_ms) / 1000, paused_for_s=int(paused_ms) / 1000)
            for name, is_open, open_ms, paused_ms in value["circuits"]
        },
        "debt": int(value["debt"]) / MILLIONTHS if ask.share_name else None,
    }


def decode_allowances(reply: bytes) -> Sequence[Sequence[str]]:
    """Returns the allowances that enter.lua granted, in the order of the budgets; none where it made no call."""
    return list(json.loads(reply)["allowances"]) if reply else ()


def encode_pin(pin: PinUpdate | None) -> tuple[str | bytes | int, ...]:
    """Returns the four arguments that leave.lua keeps a conversation by; "" first for none."""
    return ("", "", 0, "") if pin is None else (pin.key, pin.packed, round(pin.ttl_s * 1000), pin.user)


def encode_budgets(claims: Sequence[BudgetClaim]) -> str:
    """Returns the budgets whose states leave.lua is to return; "" for none."""
    return json.dumps([_encode_budget(claim) for claim in claims], separators=(",", ":")) if claims else ""


def decode_budget_states(claims: Sequence[BudgetClaim], reply: bytes) -> tuple[BudgetState, ...]:
    """Returns the states that leave.lua returned as JSON; none for ""."""
    return _decode_budgets(claims, json.loads(reply)) if reply else ()


def _decode_rates(claims: Sequence[RateClaim], states: Any) -> tuple[RateState, ...]:
    return tuple(
        RateState(claim=claim, remaining=int(remaining), reset_s=int(reset_ms) / 1000)
        for claim, (remaining, reset_ms) in zip(claims, states, strict=False)
    )


def _decode_budgets(claims: Sequence[BudgetClaim], states: Any) -> tuple[BudgetState, ...]:
    return tuple(
        BudgetState(claim=claim, spent=int(spent), reserved=int(reserved), start=float(start), end=float(end))
        for claim, (spent, reserved, start, end) in zip(claims, states, strict=False)
    )


def decode_verdict(ask: Ask, verdict: int, detail: bytes, packed: bytes, lease: str) -> GateVerdict:
    """Returns the verdict that enter.lua returned; `lease` is the one that a Lead was to get."""
    if verdict == 0:
        return Hit(stored=Stored(packed=packed, age_s=int(detail) / 1000))
    if verdict == 1:
        return Follow(lease=detail.decode())
    if verdict == 2:
        return Lead(lease=lease, fits=int(detail))
    number, wait_ms = map(int, detail.split())
    if verdict == 3:
        return RateRefused(claim=ask.rates[number - 1], retry_after_s=wait_ms / 1000)
    return BudgetRefused(claim=ask.budgets[number - 1], retry_after_s=wait_ms / 1000)
