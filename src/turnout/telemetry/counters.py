"""The Observer that counts, for the status page, the metrics and the alerts. Bounded: no user and no prompt stands in a
series, and endpoints beyond the first are one."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice

from turnout.context import ANONYMOUS, REFRESH_USER, is_user_key, user_key
from turnout.ports.counting import (
    MINUTE_S,
    MOST_ANSWERS,
    MOST_DECISIONS,
    TEN_MINUTES_S,
    Increments,
    RememberedAnswer,
)
from turnout.ports.runtime import Clock, ProviderCall
from turnout.pricing import Price, nano
from turnout.records import SERVED_FROM_CACHE, Attempt, Outcome, ServedTier, Usage
from turnout.settings import Settings
from turnout.telemetry import names
from turnout.telemetry.endpoint_labels import LONGEST_LABEL, EndpointLabels
from turnout.telemetry.remembered import Remembered
from turnout.telemetry.series import BOUNDS, MICRO, OTHER, SCORE_BINS, bin_of, series

# Users' keys, and costs of usages, that need not be computed again.
MOST_REMEMBERED = 500
MOST_NAMES = 2000
# Kinds of hits that are held before they are counted.
MOST_KINDS = 500
_BINS = tuple(str(place) for place in range(len(BOUNDS) + 1))
# Answered without a call of their own, unless one was tried before.
_GIVEN = SERVED_FROM_CACHE | {"collapsed"}
# Told by us; a provider's own codes are one.
_ERRORS = frozenset(
    {
        *("invalid_request_error", "unauthorized", "not_found", "model_not_found", "method_not_allowed"),
        *("request_too_large", "unsupported_media_type", "rate_limit_exceeded", "budget_exceeded"),
        *("budget_unavailable", "upstream_unavailable", "overloaded", "deadline_exceeded", "internal_error"),
        *("not_cached", "cancelled", "context_length_exceeded", "content_filter", "content_policy_violation"),
    }
)

# Of requests that count alike: endpoint, tier, model, cache, reason and error; and the usage that is held against the
# expensive tier, None of what nobody would have asked there.
_Kind = tuple[str, str, str, str, str, str | None, Usage | None]
# Kinds of tokens, and where an event holds them.
_TOKEN_KINDS = {
    "prompt": names.INPUT_TOKENS,
    "completion": names.OUTPUT_TOKENS,
    "cached": names.CACHE_READ_TOKENS,
    "reasoning": names.REASONING_TOKENS,
}
# What the calls that no request made are counted as, beside all that was paid.
_SIDE_COSTS = {
    "semantic_check": "semantic_check_cost",
    "semantic_judge": "semantic_check_cost",
    "semantic_embedding": "semantic_embedding_cost",
}


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
        self._endpoint = EndpointLabels(settings.endpoints).of
        self._increments = Increments()
        self._decisions: deque[tuple[float, Outcome]] = deque(maxlen=MOST_DECISIONS)
        # A hit tells the same usage each time, of the same user.
        self._baselines = Remembered(self._baseline_cost, MOST_REMEMBERED)
        self._keys = Remembered(user_key, MOST_REMEMBERED)
        self._names = Remembered[tuple[str, ...], str](lambda parts: series(*parts), MOST_NAMES)
        # Of the second that began at `_second`: hits by kind, and Turnout's own time for all requests.
        self._hits: dict[_Kind, list[int]] = {}
        self._own_bins = [0] * len(_BINS)
        self._own_s = 0.0
        self._second = -1
        self.drift: float | None = None
        self.novel: float | None = None
        self.store_up = True
        self.changed: Callable[[], None] = _nothing

    @property
    def pending(self) -> Increments:
        """What was counted since it was last taken."""
        self._end_second()
        return self._increments

    def take(self) -> Increments:
        """What was counted since the last call."""
        self._end_second()
        # Written out only now: of a busy second's decisions the last are kept.
        decisions = (_decision(outcome, at, self._user(outcome)) for at, outcome in self._decisions)
        self._increments.decisions.extend(decisions)
        self._decisions.clear()
        taken, self._increments = self._increments, Increments()
        return taken

    def give_back(self, increments: Increments) -> None:
        """Takes back what no store could be given."""
        later, self._increments = self.pending, increments
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
        self._add(self._clock.time(), (metric, *labels), amount)

    def time(self, timing: str, seconds: float, *labels: str) -> None:
        """Counts one duration."""
        self.add(timing, *labels, _BINS[bin_of(seconds)])
        self.add(f"{timing}_us", *labels, amount=round(seconds * MICRO))

    def _add(self, now: float, parts: tuple[str, ...], amount: int = 1) -> None:
        amounts = self._increments.series.setdefault(int(now) // MINUTE_S * MINUTE_S, {})
        name = self._names[parts]
        amounts[name] = amounts.get(name, 0) + amount

    def observe_app(self, endpoint: str, seconds: float) -> None:
        """Counts the app's own time at one of its endpoints."""
        self.time("app", seconds)
        self.add("handled", self._endpoint(endpoint))
        self.changed()

    def request_started(self, request_id: str) -> None:
        return None

    def request_ended(self, token: None, outcome: Outcome) -> None:
        now = self._clock.time()
        if not self._second <= now < self._second + 1:
            self._end_second()
            self._second = int(now)
            self.changed()
        if outcome.error is None:
            self._remember(outcome.request_id, self._answer(outcome, now))
        if not self.counting:
            return
        self._decisions.append((now, outcome))
        self._own_bins[bisect_left(BOUNDS, outcome.turnout_s)] += 1
        self._own_s += outcome.turnout_s
        kind = (
            outcome.endpoint,
            outcome.tier,
            outcome.model,
            outcome.cache,
            outcome.reason or "",
            outcome.error,
            outcome.usage if outcome.operation == "chat" and _is_answered(outcome) else None,
        )
        if outcome.cache in _GIVEN and not outcome.attempts:
            # A list of one number: a kind takes longer to hash than all the rest here.
            alike = self._hits.get(kind)
            if alike is not None:
                alike[0] += 1
                return
            self._hits[kind] = [1]
            if len(self._hits) > MOST_KINDS:
                self._end_second()
        else:
            self._count_requests(now, kind)
            self._count_saving_of(now, outcome, self._count_attempts(now, outcome))
            self._count_score(outcome)

    def _end_second(self) -> None:
        """Counts what is held of a second, as of then; the next request begins another."""
        at, self._second = self._second, -1
        for kind, (number,) in self._hits.items():
            self._count_requests(at, kind, number)
            if kind[-1] is not None:
                self._count_saving(at, kind[3], kind[-1], 0, number)
        self._hits.clear()
        for place, number in enumerate(self._own_bins):
            if number:
                self._own_bins[place] = 0
                self._add(at, ("turnout", _BINS[place]), number)
        if self._own_s:
            self._add(at, ("turnout_us",), round(self._own_s * MICRO))
            self._own_s = 0.0

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
            case names.EVENT_REFUSED:
                self.add("refused", _code(str(attributes[names.ERROR_TYPE])))
                self.changed()
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
                self.add("semantic_checks", _check_result(attributes))
            case names.EVENT_SEMANTIC_EMBEDDING:
                self.add("semantic_embedded", amount=int(attributes[names.EMBEDDING_TEXTS]))
            case names.EVENT_SIDE_CALL:
                self._count_side_call(attributes)
            case names.EVENT_DRIFT_MEASURED:
                self.drift = float(attributes[names.DRIFT_DISTANCE])
                self.novel = float(attributes[names.NOVEL_SHARE])

    def _count_requests(self, at: float, kind: _Kind, number: int = 1) -> None:
        endpoint, tier, model, cache, reason, error, _ = kind
        code = _code(error) if error else ""
        self._add(at, ("requests", self._endpoint(endpoint), tier, model, cache, reason, code), number)

    def _count_saving_of(self, now: float, outcome: Outcome, paid: int) -> None:
        """paid: nano-USD for its attempts, as far as their prices are known."""
        prices = self._prices()
        if any(attempt.usage is not None and attempt.model not in prices for attempt in outcome.attempts):
            self._add(now, ("unpriced",))
        elif outcome.user == REFRESH_USER:
            # Nobody asked: it is part of what the cache costs.
            self._save(now, "cache", -paid)
        elif outcome.operation == "chat":
            self._count_saving(now, outcome.cache, outcome.usage if _is_answered(outcome) else None, paid, 1)
        else:
            # Never routed: it would have cost the same, but for what failed.
            answered = (attempt for attempt in outcome.attempts if attempt.error is None and _is_answered(outcome))
            baseline = sum(nano(attempt.cost_usd) for attempt in answered)
            self._add(now, ("all_expensive",), baseline)
            self._save(now, "routing", baseline - paid)

    def _count_saving(self, at: float, cache: str, usage: Usage | None, paid: int, number: int) -> None:
        """usage: of the answer; None where no model's answer served to its end. paid: nano-USD for all of them."""
        part, baseline = "routing", 0
        if usage is not None:
            if self._best not in self._prices():
                self._add(at, ("unpriced",), number)
                return
            baseline = self._baselines[usage] * number
            self._add(at, ("all_expensive",), baseline)
            if cache in _GIVEN:
                part = "semantic" if cache == "semantic" else "cache"
        self._save(at, part, baseline - paid)

    def _save(self, at: float, part: str, nanos: int) -> None:
        if nanos:
            self._add(at, ("saving", part), nanos)

    def _count_side_call(self, attributes: Mapping[str, str | int | float | bool]) -> None:
        """Counts an attempt that no request made: what it cost is paid all the same, and saves so much less."""
        cost, made_for = int(attributes[names.COST_NANO_USD]), str(attributes[names.SIDE_CALL_FOR])
        at = self._endpoint(str(attributes[names.ENDPOINT])), str(attributes[names.TIER]), str(attributes[names.MODEL])
        if cost:
            self.add("cost", *at, amount=cost)
            self.add(_SIDE_COSTS[made_for], amount=cost)
            self._save(self._clock.time(), "semantic", -cost)
        counts = {kind: count for kind, name in _TOKEN_KINDS.items() if (count := int(attributes[name]))}
        for kind, count in counts.items():
            self.add("tokens", *at, kind, amount=count)
        if counts and str(attributes[names.MODEL]) not in self._prices():
            self.add("unpriced")

    def _count_attempts(self, now: float, outcome: Outcome) -> int:
        """Counts what the request's attempts cost and used; their nano-USD."""
        paid, endpoint = 0, self._endpoint(outcome.endpoint)
        for attempt in outcome.attempts:
            cost = nano(attempt.cost_usd)
            paid += cost
            if cost:
                self.add("cost", endpoint, attempt.tier, attempt.model, amount=cost)
            if cost and (attempt.error is not None or not _is_answered(outcome)):
                self.add("failed_cost", amount=cost)
            usage = attempt.usage
            if usage is not None:
                for kind in _TOKEN_KINDS:
                    if count := getattr(usage, f"{kind}_tokens"):
                        self.add("tokens", endpoint, attempt.tier, attempt.model, kind, amount=count)
        if paid:
            start = int(now) // TEN_MINUTES_S * TEN_MINUTES_S
            spenders = self._increments.spenders.setdefault(start, {})
            user = self._user(outcome)
            spenders[user] = spenders.get(user, 0) + paid
        return paid

    def _baseline_cost(self, usage: Usage) -> int:
        """Nano-USD at the expensive tier's first model, whose price is known."""
        return nano(self._prices()[self._best].cost(usage))

    def _count_score(self, outcome: Outcome) -> None:
        decision = outcome.decision
        if decision is None or decision.score is None or outcome.cache in _GIVEN:
            return
        place = str(min(SCORE_BINS - 1, max(0, int(decision.score * SCORE_BINS))))
        self.add("scores", place)
        self.add("decided", decision.tier)
        if decision.reason == "novel":
            self.add("novel")
        if decision.verdict is not None:
            self.add("verdicts", decision.verdict)
        prices = self._prices()
        for tier, model in self._baseline.items():
            price = prices.get(model)
            if price is not None and _is_answered(outcome):
                self.add("score_cost", tier, place, amount=nano(price.cost(outcome.usage)))

    def _user(self, outcome: Outcome) -> str:
        if outcome.user == ANONYMOUS:
            return "anonymous"
        short = len(outcome.user) <= LONGEST_LABEL and outcome.user.isprintable()
        # What looks like a key would be taken for another user's.
        shown = self._user_ids and short and not is_user_key(outcome.user)
        return outcome.user if shown else self._keys[outcome.user]

    def _answer(self, outcome: Outcome, now: float) -> bytes:
        answer = RememberedAnswer(
            at=int(now),
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


def _code(error: str) -> str:
    return error if error in _ERRORS else OTHER


def _check_result(attributes: Mapping[str, str | int | float | bool]) -> str:
    """What a semantic check is counted as."""
    if not attributes[names.CHECK_DECIDED]:
        return "undecided"
    return "agrees" if attributes[names.CHECK_AGREES] else "differs"


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
