"""The Observer that counts, for the status page, the metrics and the alerts. Bounded: no user and no prompt stands in a
series, and endpoints beyond the first are one."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice

from turnout.context import ANONYMOUS, user_key
from turnout.ports.counting import (
    MINUTE_S,
    MOST_ANSWERS,
    MOST_DECISIONS,
    TEN_MINUTES_S,
    CounterStore,
    Increments,
    RememberedAnswer,
)
from turnout.ports.runtime import Clock, ProviderCall
from turnout.pricing import Price, nano
from turnout.records import SERVED_FROM_CACHE, Attempt, Outcome, ServedTier, Usage
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.remembered import Remembered
from turnout.telemetry.series import BOUNDS, MICRO, OTHER, SCORE_BINS, bin_of, series

# Endpoints that have series of their own, the settings' first.
MOST_ENDPOINTS = 50
# Users' keys, and costs of usages, that need not be reckoned again.
MOST_REMEMBERED = 500
MOST_NAMES = 2000
LONGEST_LABEL = 100
_BINS = tuple(str(place) for place in range(len(BOUNDS) + 1))
# Told by us; a provider's own codes are one.
_ERRORS = frozenset(
    {
        *("invalid_request_error", "unauthorized", "not_found", "model_not_found", "method_not_allowed"),
        *("request_too_large", "unsupported_media_type", "rate_limit_exceeded", "budget_exceeded"),
        *("budget_unavailable", "upstream_unavailable", "overloaded", "deadline_exceeded", "internal_error"),
        *("cancelled", "context_length_exceeded", "content_filter", "content_policy_violation"),
    }
)


class Counters:
    """Implements the Observer port. Counts into what `take` hands over.

    prices: by configured model name, as far as they are known. counting: False where nobody can read the counts;
    answers are remembered for feedback all the same. drift, novel: the last figures; None until there are any.
    """

    def __init__(
        self, settings: Settings, *, prices: Callable[[], Mapping[str, Price]], clock: Clock, counting: bool = True
    ) -> None:
        self._prices = prices
        self._clock = clock
        self.counting = counting
        self._user_ids = settings.status.user_ids
        self._best = settings.tiers.expensive.models[0]
        self._baseline = {tier: settings.tier_models(tier)[0] for tier in ("cheap", "expensive")}
        self._endpoints = set(list(settings.endpoints)[:MOST_ENDPOINTS]) | {""}
        self._increments = Increments()
        self._series: dict[str, int] = {}
        self._decisions: deque[tuple[float, Outcome]] = deque(maxlen=MOST_DECISIONS)
        # A hit tells the same usage each time, of the same user.
        self._baselines = Remembered(self._baseline_cost, MOST_REMEMBERED)
        self._keys = Remembered(user_key, MOST_REMEMBERED)
        self._names = Remembered[tuple[str, ...], str](lambda parts: series(*parts), MOST_NAMES)
        self._minute = -MINUTE_S
        self.drift: float | None = None
        self.novel: float | None = None
        self.store_up = True
        self.changed: Callable[[], None] = _nothing

    @property
    def pending(self) -> Increments:
        """What was counted since it was last taken."""
        return self._increments

    def take(self) -> Increments:
        """What was counted since the last call."""
        # Written out only now: of a busy second's decisions the last are kept.
        decisions = (_decision(outcome, at, self._user(outcome)) for at, outcome in self._decisions)
        self._increments.decisions.extend(decisions)
        self._decisions.clear()
        taken, self._increments, self._minute = self._increments, Increments(), -MINUTE_S
        return taken

    def give_back(self, increments: Increments) -> None:
        """Takes back what no store could be given."""
        later, self._increments, self._minute = self._increments, increments, -MINUTE_S
        for buckets, others in ((increments.series, later.series), (increments.spenders, later.spenders)):
            for start, amounts in others.items():
                bucket = buckets.setdefault(start, {})
                for name, amount in amounts.items():
                    bucket[name] = bucket.get(name, 0) + amount
            # An outage of days costs no more memory than one of two hours.
            for start in sorted(buckets)[:-120]:
                del buckets[start]
        increments.decisions.extend(later.decisions)
        for request_id, packed in later.answers.items():
            self._remember(request_id, packed)

    def add(self, metric: str, *labels: str, amount: int = 1) -> None:
        """Counts so much more of a series."""
        now = self._clock.time()
        if not self._minute <= now < self._minute + MINUTE_S:
            self._minute = int(now) // MINUTE_S * MINUTE_S
            self._series = self._increments.series.setdefault(self._minute, {})
        name = self._names[(metric, *labels)]
        self._series[name] = self._series.get(name, 0) + amount

    def time(self, timing: str, seconds: float, *labels: str) -> None:
        """Counts one duration."""
        self.add(timing, *labels, _BINS[bin_of(seconds)])
        self.add(f"{timing}_us", *labels, amount=round(seconds * MICRO))

    def observe_app(self, endpoint: str, seconds: float) -> None:
        """Counts the app's own time at one of its endpoints."""
        self.time("app", seconds)
        self.add("handled", self._endpoint(endpoint))
        self.changed()

    def request_started(self, request_id: str) -> None:
        return None

    def request_ended(self, token: None, outcome: Outcome) -> None:
        if outcome.error is None:
            self._remember(outcome.request_id, self._answer(outcome))
        if not self.counting:
            self.changed()
            return
        endpoint = self._endpoint(outcome.endpoint)
        error = outcome.error or ""
        if error and error not in _ERRORS:
            error = OTHER
        self.add("requests", endpoint, outcome.tier, outcome.model, outcome.cache, outcome.reason or "", error)
        self.time("turnout", outcome.turnout_s)
        self._count_money(outcome, endpoint)
        self._count_score(outcome)
        self._decisions.append((self._clock.time(), outcome))
        self.changed()

    def attempt_started(self, token: None, call: ProviderCall, *, tier: ServedTier, stream: bool) -> None:
        return None

    def attempt_ended(self, token: None, attempt: Attempt) -> None:
        if not self.counting:
            return
        self.add("attempts", attempt.model, attempt.error or "ok")
        self.time("inference", attempt.duration_s, attempt.model)
        if attempt.first_chunk_s is not None:
            self.time("first_chunk", attempt.first_chunk_s)

    def event(self, token: None, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        if not self.counting:
            return
        match name:
            case names.RETRIED:
                self.add("retries", str(attributes[names.MODEL]))
            case names.CANDIDATE_SKIPPED:
                self.add("skips", str(attributes[names.MODEL]), str(attributes[names.SKIP_REASON]))
            case names.CIRCUIT_CHANGED:
                self.add("circuit_changes", str(attributes[names.CIRCUIT]), str(attributes[names.STATE]))
            case names.EVENT_STORE_LOST | names.EVENT_STORE_FOUND:
                self.store_up = name == names.EVENT_STORE_FOUND
                self.add("store_changes", "found" if self.store_up else "lost")
            case names.EVENT_BUDGET_ALERT:
                self.add("budget_alerts", str(attributes[names.BUDGET_POLICY]), str(attributes[names.BUDGET_ALERT]))
            case names.EVENT_JOB_ENDED:
                self.add("jobs", str(attributes[names.JOB_STATUS]))
                self.time("job_wait", float(attributes[names.JOB_WAIT]))
                self.time("job_run", float(attributes[names.JOB_RUN]))
                self.changed()
            case names.EVENT_SEMANTIC_CHECK:
                self.add("semantic_checks", "agrees" if attributes[names.CHECK_AGREES] else "differs")
                if cost := int(attributes[names.CHECK_COST]):
                    self.add("semantic_check_cost", amount=cost)
            case names.EVENT_DRIFT_MEASURED:
                self.drift = float(attributes[names.DRIFT_DISTANCE])
                self.novel = float(attributes[names.NOVEL_SHARE])

    def _count_money(self, outcome: Outcome, endpoint: str) -> None:
        paid = 0
        for attempt in outcome.attempts:
            cost = nano(attempt.cost_usd)
            paid += cost
            if cost:
                self.add("cost", endpoint, attempt.tier, attempt.model, amount=cost)
            if cost and (attempt.error is not None or not _is_answered(outcome)):
                self.add("failed_cost", amount=cost)
            usage = attempt.usage
            if usage is not None:
                for kind in ("prompt", "completion", "cached", "reasoning"):
                    if count := getattr(usage, f"{kind}_tokens"):
                        self.add("tokens", endpoint, attempt.tier, attempt.model, kind, amount=count)
        if paid:
            start = int(self._clock.time()) // TEN_MINUTES_S * TEN_MINUTES_S
            spenders = self._increments.spenders.setdefault(start, {})
            user = self._user(outcome)
            spenders[user] = spenders.get(user, 0) + paid
        if outcome.operation == "chat":
            self._count_saving(outcome, paid)

    def _count_saving(self, outcome: Outcome, paid: int) -> None:
        part, baseline = "routing", 0
        if _is_answered(outcome):
            if self._best not in self._prices():
                self.add("unpriced")
                return
            baseline = self._baselines[outcome.usage]
            self.add("all_expensive", amount=baseline)
            if outcome.cache == "semantic":
                part = "semantic"
            elif outcome.cache in SERVED_FROM_CACHE or outcome.cache == "collapsed":
                part = "cache"
        if baseline != paid:
            self.add("saving", part, amount=baseline - paid)

    def _baseline_cost(self, usage: Usage) -> int:
        """Nano-USD at the expensive tier's first model, whose price is known."""
        return nano(self._prices()[self._best].cost(usage))

    def _count_score(self, outcome: Outcome) -> None:
        decision = outcome.decision
        if decision is None or decision.score is None or outcome.cache in SERVED_FROM_CACHE | {"collapsed"}:
            return
        place = str(min(SCORE_BINS - 1, max(0, int(decision.score * SCORE_BINS))))
        self.add("scores", place)
        self.add("decided", decision.tier)
        if decision.reason == "novel":
            self.add("novel")
        prices = self._prices()
        for tier, model in self._baseline.items():
            price = prices.get(model)
            if price is not None and _is_answered(outcome):
                self.add("score_cost", tier, place, amount=nano(price.cost(outcome.usage)))

    def _endpoint(self, endpoint: str) -> str:
        if endpoint in self._endpoints:
            return endpoint
        if len(self._endpoints) > MOST_ENDPOINTS or len(endpoint) > LONGEST_LABEL or not endpoint.isprintable():
            return OTHER
        self._endpoints.add(endpoint)
        return endpoint

    def _user(self, outcome: Outcome) -> str:
        if outcome.user == ANONYMOUS:
            return "anonymous"
        short = len(outcome.user) <= LONGEST_LABEL and outcome.user.isprintable()
        return outcome.user if self._user_ids and short else self._keys[outcome.user]

    def _answer(self, outcome: Outcome) -> bytes:
        answer = RememberedAnswer(
            at=int(self._clock.time()),
            user=self._keys[outcome.user],
            endpoint=outcome.endpoint,
            tier=outcome.tier,
            cache=outcome.cache,
            cache_key=outcome.cache_key,
        )
        return answer.pack()

    def _remember(self, request_id: str, packed: bytes) -> None:
        answers = self._increments.answers
        answers[request_id] = packed
        if len(answers) >= 2 * MOST_ANSWERS:
            # At once: each search for the first of a dict passes over all that was dropped before it.
            for old in list(islice(answers, MOST_ANSWERS)):
                del answers[old]


class CountKeeper:
    """Hands what the counters count to the store; what the store cannot be given now is given later."""

    def __init__(self, counters: Counters, store: CounterStore) -> None:
        self.counters = counters
        self.store = store

    @property
    def reachable(self) -> bool:
        """Whether the store has all that it was handed."""
        return self.store.reachable

    async def flush_all(self) -> bool:
        """As `flush`. Returns whether there is something left to hand on: a tick."""
        await self.flush()
        return bool(self.counters.pending)

    async def forget(self, user_key: str, spender: str) -> None:
        """Forgets a user: see CounterStore."""
        await self.flush()
        await self.store.forget(user_key, spender)

    async def flush(self) -> bool:
        """Adds what was counted. Returns whether the store has it all."""
        taken = self.counters.take()
        if not taken:
            return True
        added = await self.store.add(taken)
        if not added:
            self.counters.give_back(taken)
        return added


def _is_answered(outcome: Outcome) -> bool:
    """Whether a model's answer served it to its end."""
    return bool(outcome.model) and outcome.error is None


def _nothing() -> None:
    return None


def _decision(outcome: Outcome, now: float, user: str) -> bytes:
    decision = outcome.decision
    fields = {
        "time": round(now, 3),
        "id": outcome.request_id,
        "user": user,
        "endpoint": outcome.endpoint[:LONGEST_LABEL],
        "tier": outcome.tier,
        "model": outcome.model,
        "reason": outcome.reason,
        "cache": outcome.cache,
        "error": outcome.error,
        "score": decision.score if decision is not None else None,
        "threshold": decision.threshold if decision is not None else None,
        "gain": decision.expected_gain if decision is not None else None,
        "cost_usd": nano(outcome.cost_usd) / 1e9,
        "turnout_ms": round(outcome.turnout_s * 1000, 3),
        "inference_ms": round(outcome.inference_s * 1000, 3),
        "attempts": len(outcome.attempts),
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
