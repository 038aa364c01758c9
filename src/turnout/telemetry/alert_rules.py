"""What predicts trouble: each rule a figure of the last minutes, when it fires and when it is over. Pure.

examples/observability/alerts.yml holds the same rules for Prometheus; a test compares the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from turnout.telemetry.figures import Counts, cache_figures
from turnout.telemetry.series import NANO, percentile

# Seconds of the recent window; of a spike's; and of what they are held against.
RECENT_S, SPIKE_S, DAY_S = 300, 600, 86_400
# Below so many a share is chance.
FEW_ATTEMPTS, FEW_ASKED = 20, 50
DAY_ATTEMPTS, DAY_ASKED = 100, 200
# A hit rate that was lower is no loss; a spike below so many USD in SPIKE_S costs less than being woken.
LEAST_HIT_RATE = 0.1
SPIKE_FLOOR_USD = 1.0
# The caller's doing, and the provider's own word: neither says that the provider is sick.
_NOT_SICK = frozenset({"ok", "rate_limited", "caller_fault"})

# A figure for each subject that there is one for.
Measured = Iterator[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the rules look at. recent: counts of RECENT_S; day: of DAY_S, the recent ones aside. spent, spent_before:
    nano-USD by spender, of the last ten minutes and of the day before them. before_s: for how long there was
    counting, at most DAY_S. circuits: whether each is open. budgets: foreseen share of each limit.
    queue_age_s: None without a queue. drift: None until known."""

    recent: Counts
    day: Counts
    spike: Counts
    spent: Mapping[str, int] = field(default_factory=dict)
    spent_before: Mapping[str, int] = field(default_factory=dict)
    before_s: float = 0.0
    circuits: Mapping[str, bool] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    queue_age_s: float | None = None
    drift: float | None = None
    store_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fires where the figure reaches `fires`, is over where it is at or below `clears`. sent: False where another part
    sends it: then it stands on the page alone."""

    name: str
    measure: Callable[[Situation], Measured]
    fires: float
    clears: float
    says: str
    do: str
    sent: bool = True

    def message(self, subject: str, value: float) -> str:
        """What it says, of whom, and what to do about it."""
        return f"{self.says.format(subject=subject, value=value, percent=100 * value)} {self.do}"


def _hit_rate(at: Situation) -> Measured:
    recent, before = cache_figures(at.recent), cache_figures(at.day)
    now, then = recent["hit_rate"], before["hit_rate"]
    if now is None or then is None or then < LEAST_HIT_RATE:
        return
    if _asked(at.recent) >= FEW_ASKED and _asked(at.day) >= DAY_ASKED:
        yield "", 1.0 - now / then


def _asked(counts: Counts) -> int:
    figures = cache_figures(counts)
    return counts.total("requests") - int(figures["unasked"])


def _attempts(at: Situation) -> Iterator[tuple[str, dict[str, int], int]]:
    ends: dict[str, dict[str, int]] = {}
    for labels, number in at.recent.rows("attempts"):
        of_model = ends.setdefault(labels[0], {})
        of_model[labels[1]] = of_model.get(labels[1], 0) + number
    for model, kinds in ends.items():
        if (total := sum(kinds.values())) >= FEW_ATTEMPTS:
            yield model, kinds, total


def _provider_errors(at: Situation) -> Measured:
    for model, kinds, total in _attempts(at):
        yield model, sum(number for kind, number in kinds.items() if kind not in _NOT_SICK) / total


def _rate_limited(at: Situation) -> Measured:
    for model, kinds, total in _attempts(at):
        yield model, kinds.get("rate_limited", 0) / total


def _circuits(at: Situation) -> Measured:
    yield from ((name, float(is_open)) for name, is_open in at.circuits.items())


def _inference(at: Situation) -> Measured:
    recent, before = at.recent.bins("inference"), at.day.bins("inference")
    now, then = percentile(recent, 0.95), percentile(before, 0.95)
    enough = sum(recent.values()) >= FEW_ATTEMPTS and sum(before.values()) >= DAY_ATTEMPTS
    if enough and now is not None and then:
        yield "", now / then


def _queue_age(at: Situation) -> Measured:
    if at.queue_age_s is not None:
        yield "", at.queue_age_s


def _budgets(at: Situation) -> Measured:
    yield from at.budgets.items()


def _spend(at: Situation) -> Measured:
    # A first hour has no rate of its own to be held against.
    if at.before_s < 3600:
        return
    before = at.day.by("cost")
    for kind, now, then in (("endpoint", at.spike.by("cost"), before), ("user", at.spent, at.spent_before)):
        for name, nanos in now.items():
            usd = nanos / NANO
            if usd >= SPIKE_FLOOR_USD / 2:
                usual = max(then.get(name, 0) / NANO * SPIKE_S / at.before_s, SPIKE_FLOOR_USD / 5)
                yield name if name.startswith("user:") else f"{kind} {name or 'without a name'}", usd / usual


def _drift(at: Situation) -> Measured:
    if at.drift is not None:
        yield "", at.drift


def _store(at: Situation) -> Measured:
    yield "", 0.0 if at.store_up else 1.0


RULES = (
    Rule(
        name="hit_rate",
        measure=_hit_rate,
        fires=0.5,
        clears=0.25,
        says="The cache's hit rate is {percent:.0f} % below that of the last 24 hours.",
        do="Was the cache emptied, did a prompt or a model's parameters change, or is max_bytes too small?",
    ),
    Rule(
        name="provider_errors",
        measure=_provider_errors,
        fires=0.1,
        clears=0.05,
        says="{percent:.0f} % of the attempts of {subject} failed in the last 5 minutes.",
        do="Look at the provider's own status; its fallbacks serve meanwhile, where there are some.",
    ),
    Rule(
        name="rate_limited",
        measure=_rate_limited,
        fires=0.1,
        clears=0.05,
        says="{subject} answered 429 to {percent:.0f} % of the attempts of the last 5 minutes.",
        do="Ask the provider for more, lower max_concurrency, or add a fallback.",
    ),
    Rule(
        name="circuit_open",
        measure=_circuits,
        fires=1.0,
        clears=0.0,
        says="The circuit of {subject} is open: it is not called.",
        do="It is probed by itself; if it stays open, check key, name, address and the provider's status.",
    ),
    Rule(
        name="inference_p95",
        measure=_inference,
        fires=2.0,
        clears=1.5,
        says="The slowest 5 % of attempts take {value:.1f} times as long as in the last 24 hours.",
        do="The model's API is slow, not your app: look at the provider's status, or lower timeout_s.",
    ),
    Rule(
        name="queue_age",
        measure=_queue_age,
        fires=60.0,
        clears=30.0,
        says="The oldest job has waited for {value:.0f} s.",
        do="Start more workers, or raise [queue] concurrency.",
    ),
    Rule(
        name="budget_forecast",
        measure=_budgets,
        fires=1.0,
        clears=0.9,
        says="The budget {subject} will reach {percent:.0f} % of its limit at this pace.",
        do="Raise it, set pacing = true, or find who spends below.",
        # quota/budget_alerts.py sends it, once a window.
        sent=False,
    ),
    Rule(
        name="spend_spike",
        measure=_spend,
        fires=5.0,
        clears=2.5,
        says="Spend of {subject} is {value:.1f} times that of the last 24 hours.",
        do="Look at its last decisions; a loop that asks a model again and again looks like this.",
    ),
    Rule(
        name="drift",
        measure=_drift,
        fires=0.2,
        clears=0.15,
        says="The traffic has left the training logs: drift {value:.2f}.",
        do="Label new logs and train again: turnout label, turnout train.",
    ),
    Rule(
        name="store_lost",
        measure=_store,
        fires=1.0,
        clears=0.0,
        says="Redis is lost: each worker goes on alone, with its share of the limits.",
        do="Look at Redis; it is used again within 5 s of its return.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An alert that began (`firing`) or is over."""

    rule: Rule
    subject: str
    value: float
    firing: bool


class Hysteresis:
    """Which alerts fire. MOST bounds those of each rule: subjects are models, endpoints and users, and a crowd of these
    hides no circuit that opens."""

    MOST = 200

    def __init__(self) -> None:
        self.firing: dict[tuple[str, str], tuple[Rule, float]] = {}

    def look(self, at: Situation) -> list[Change]:
        """Takes the situation in; what began and what is over. What cannot be measured any more is over."""
        changes = []
        for rule in RULES:
            measured = dict(rule.measure(at))
            mine = sum(name == rule.name for name, _ in self.firing)
            for subject, value in measured.items():
                key = (rule.name, subject)
                if key in self.firing:
                    self.firing[key] = (rule, value)
                elif value >= rule.fires and mine < self.MOST:
                    mine += 1
                    self.firing[key] = (rule, value)
                    changes.append(Change(rule=rule, subject=subject, value=value, firing=True))
            for key in [key for key in self.firing if key[0] == rule.name]:
                now = measured.get(key[1])
                if now is None or now <= rule.clears:
                    del self.firing[key]
                    changes.append(Change(rule=rule, subject=key[1], value=now or 0.0, firing=False))
        return changes
