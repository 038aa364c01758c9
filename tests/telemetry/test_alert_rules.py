"""What each rule measures, of whom, and when there is too little to say so."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.telemetry.alert_rules import RULES, Hysteresis, Situation
from turnout.telemetry.figures import Counts
from turnout.telemetry.series import series

DAY_S = 86_400.0
USD = 1_000_000_000
SLOW, QUICK = "30", "20"


def _attempts(**ends: int) -> dict[str, int]:
    return {series("attempts", "m", end): number for end, number in ends.items()}


def _asked(hits: int, misses: int) -> dict[str, int]:
    rows = {"hit": hits, "miss_stored": misses}
    return {series("requests", "/ask", "cheap", "m", cache, "scored", ""): number for cache, number in rows.items()}


def _cost(endpoint: str, usd: float) -> dict[str, int]:
    return {series("cost", endpoint, "cheap", "m"): int(usd * USD)}


def _took(place: str, number: int) -> dict[str, int]:
    return {series("inference", "m", place): number}


def _measured(name: str, **at: Any) -> dict[str, float]:
    counts = {part: Counts(at.pop(part, {})) for part in ("recent", "day", "spike")}
    (rule,) = (rule for rule in RULES if rule.name == name)
    return dict(rule.measure(Situation(**counts, **at)))


@pytest.mark.parametrize(
    ("name", "at", "measured"),
    [
        ("provider_errors", {"recent": _attempts(ok=15, provider_error=5)}, {"m": 0.25}),
        # The caller's doing, and what has a rule of its own.
        ("provider_errors", {"recent": _attempts(ok=20, caller_fault=50, rate_limited=10)}, {"m": 0.0}),
        ("provider_errors", {"recent": _attempts(ok=1, provider_error=18)}, {}),
        ("rate_limited", {"recent": _attempts(ok=15, rate_limited=5)}, {"m": 0.25}),
        ("rate_limited", {"recent": _attempts(rate_limited=19)}, {}),
        ("hit_rate", {"recent": _asked(10, 90), "day": _asked(400, 600)}, {"": 0.75}),
        ("hit_rate", {"recent": _asked(0, 49), "day": _asked(400, 600)}, {}),
        ("hit_rate", {"recent": _asked(0, 100), "day": _asked(100, 99)}, {}),
        # Little was lost where little was hit.
        ("hit_rate", {"recent": _asked(0, 100), "day": _asked(90, 910)}, {}),
        ("inference_p95", {"recent": _took(SLOW, 19), "day": _took(QUICK, 100)}, {}),
        ("inference_p95", {"recent": _took(SLOW, 20), "day": _took(QUICK, 99)}, {}),
        # Without a rate of its own, a fifth of a dollar in ten minutes is usual.
        ("spend_spike", {"spike": _cost("/ask", 2.0), "before_s": DAY_S}, {"endpoint /ask": 10.0}),
        ("spend_spike", {"spike": _cost("", 2.0), "before_s": DAY_S}, {"endpoint without a name": 10.0}),
        ("spend_spike", {"spent": {"user:1": 2 * USD}, "before_s": DAY_S}, {"user:1": 10.0}),
        ("spend_spike", {"spent": {"ann": 2 * USD}, "before_s": DAY_S}, {"user ann": 10.0}),
        # 144 USD in the day before is one in ten minutes.
        (
            "spend_spike",
            {"spent": {"ann": 2 * USD}, "spent_before": {"ann": 144 * USD}, "before_s": DAY_S},
            {"user ann": 2.0},
        ),
        ("spend_spike", {"spike": _cost("/ask", 0.49), "spent": {"ann": USD // 3}, "before_s": DAY_S}, {}),
        ("spend_spike", {"spike": _cost("/ask", 50.0), "spent": {"ann": 50 * USD}, "before_s": 3599.0}, {}),
        ("circuit_open", {"circuits": {"m": True, "n": False}}, {"m": 1.0, "n": 0.0}),
        ("queue_age", {"queue_age_s": 90.0}, {"": 90.0}),
        ("queue_age", {}, {}),
        ("budget_forecast", {"budgets": {"total per day": 1.2}}, {"total per day": 1.2}),
        ("drift", {"drift": 0.3}, {"": 0.3}),
        ("drift", {}, {}),
        ("store_lost", {"store_up": False}, {"": 1.0}),
        ("store_lost", {}, {"": 0.0}),
    ],
)
def test_a_rule_measures_its_figure(name: str, at: dict[str, Any], measured: dict[str, float]) -> None:
    """Of each subject; nothing where it would be chance, or nothing is known."""
    assert _measured(name, **at) == {subject: pytest.approx(value) for subject, value in measured.items()}


def test_slower_attempts_are_told_by_how_much() -> None:
    """Against the day before: ten bins of eight to a power of ten are about 18 times."""
    (value,) = _measured("inference_p95", recent=_took(SLOW, 20), day=_took(QUICK, 100)).values()
    assert value == pytest.approx(10 ** (10 / 8), rel=0.1)


# Where each rule fires, and where it is over.
BOUNDS = {
    "hit_rate": (0.5, 0.25),
    "provider_errors": (0.1, 0.05),
    "rate_limited": (0.1, 0.05),
    "queue_age": (60.0, 30.0),
    "budget_forecast": (1.0, 0.9),
    "spend_spike": (5.0, 2.5),
    "drift": (0.2, 0.15),
}


def _at(name: str, value: float) -> Situation:
    """A situation in which this rule measures this."""
    empty = {part: Counts({}) for part in ("recent", "day", "spike")}
    match name:
        case "hit_rate":
            hits = round(5000 * (1 - value))
            counts = {"recent": Counts(_asked(hits, 10_000 - hits)), "day": Counts(_asked(500, 500))}
            return Situation(**{**empty, **counts})
        case "provider_errors" | "rate_limited":
            end = "rate_limited" if name == "rate_limited" else "provider_error"
            bad = round(1000 * value)
            return Situation(**{**empty, "recent": Counts(_attempts(**{"ok": 1000 - bad, end: bad}))})
        case "spend_spike":
            return Situation(**empty, spent={"ann": round(value * USD / 5)}, before_s=DAY_S)
        case "queue_age":
            return Situation(**empty, queue_age_s=value)
        case "budget_forecast":
            return Situation(**empty, budgets={"total per day": value})
    return Situation(**empty, drift=value)


@pytest.mark.parametrize("name", BOUNDS)
def test_an_alert_goes_on_between_its_bounds(name: str) -> None:
    """It begins where it fires and not below, and is over where it clears and not above."""
    hysteresis, (fires, clears) = Hysteresis(), BOUNDS[name]
    steps = ((0.99 * fires, None), (fires, True), (0.99 * fires, None), (1.02 * clears, None), (clears, False))
    for value, firing in steps:
        changes = [change.firing for change in hysteresis.look(_at(name, value))]
        assert changes == ([] if firing is None else [firing]), value


def test_what_fires_is_bounded() -> None:
    """However many subjects there are; what could not fire may once others are over."""
    hysteresis = Hysteresis()
    empty = {part: Counts({}) for part in ("recent", "day", "spike")}
    crowd = {f"user:{number}": 100 * USD for number in range(Hysteresis.MOST + 50)}
    assert len(hysteresis.look(Situation(**empty, before_s=DAY_S, spent=crowd))) == Hysteresis.MOST
    hides = hysteresis.look(Situation(**empty, before_s=DAY_S, spent=crowd, circuits={"m": True}))
    assert [change.subject for change in hides] == ["m"]
    hysteresis.look(Situation(**empty))
    circuits = {f"m{number}": True for number in range(Hysteresis.MOST + 50)}
    assert len(hysteresis.look(Situation(**empty, circuits=circuits))) == Hysteresis.MOST
    assert len(hysteresis.firing) == Hysteresis.MOST
    over = hysteresis.look(Situation(**empty))
    assert {change.firing for change in over} == {False}
    assert not hysteresis.firing
