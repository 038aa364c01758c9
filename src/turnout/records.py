"""What was decided and what happened: one frozen record each, read by span, header, log and test alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal

from turnout.openai.requests import ChatRequest

Tier = Literal["cheap", "expensive"]
ServedTier = Literal["cheap", "expensive", "none"]

Reason = Literal[
    "scored",  # the score met the threshold, or did not
    "default_scorer",  # as `scored`, by the scorer that was not trained on this app's logs
    "novel",  # unlike the training logs: decided by the tag's mean or the stated default
    "forced",  # the caller named a tier or a model
    "forced_ignored",  # the caller named a tier or a model that it may not choose: routed as `auto`
    "budget",  # the expensive tier's worst case did not fit the budget
    "pacing",  # the threshold was raised because spend runs ahead of time
    "cache",  # answered from the cache; the stored decision's values are reported
    "context",  # moved to the other tier, whose window holds the request
    "ability",  # moved to the other tier, which takes what the request holds (images, tools, a schema, reasoning)
    "sticky",  # the conversation stays with its model, where the score alone would have said another
    "sticky_left",  # the conversation left its model's tier: that was estimated to pay, or its cache was cold
    "verified",  # the cheap answer was read and accepted
    "escalated",  # the cheap answer was doubted, or drawn by chance: the expensive tier answered
    "cascade_fallback",  # the cheap answer was doubted, but no expensive one came in time
    "fallback",  # another candidate than the first one answered
    "fallback_answer",  # the configured plain answer
]

CacheState = Literal[
    "off",
    "hit",
    "stale",
    "semantic",
    "collapsed",
    "miss_stored",
    "miss",
    "request",
    "request_stored",
    "bypass",
]

# RFC 9211. `stored` says that a complete answer will be stored.
CACHE_STATUS: Mapping[CacheState, str | None] = {
    "off": None,
    "hit": "turnout; hit",
    "stale": "turnout; hit; detail=stale",
    "semantic": "turnout; hit; detail=semantic",
    "collapsed": "turnout; fwd=miss; collapsed",
    "miss_stored": "turnout; fwd=miss; stored",
    "miss": "turnout; fwd=miss",
    "request": "turnout; fwd=request",
    "request_stored": "turnout; fwd=request; stored",
    "bypass": "turnout; fwd=bypass; detail=anonymous",
}

SERVED_FROM_CACHE: frozenset[CacheState] = frozenset({"hit", "stale", "semantic"})


# What is asked of a model, by the GenAI conventions' names.
Operation = Literal["chat", "embeddings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which tier, why, and which models in which order. Made once for a request.

    score: the expected gain's rank among the training logs, in [0, 1]; None where forced.
    expected_gain: expensive minus cheap quality, in [-1, 1]; None where forced.
    threshold: a score at or above it goes to the expensive tier; None where forced.
    novelty: 0 (like the logs) to 1 (unlike them); None where forced.
    candidates: configured model names in the order of trying: the tier's, then the other tier's where allowed.
    switch_usd, switch_gain_usd: what leaving its conversation's model was estimated to cost and to be worth, in USD;
    None where no conversation was held against the score, or prices are unknown.
    verdict, verdict_score, verdict_threshold: of the cheap answer, doubted from the threshold on, each in [0, 1];
    escalation_propensity: the chance that it was to be asked again; second_agrees: whether a second cheap answer came
    to the same. None where none was verified, or none was asked for or came.
    """

    tier: Tier
    reason: Reason
    candidates: tuple[str, ...]
    score: float | None = None
    expected_gain: float | None = None
    threshold: float | None = None
    novelty: float | None = None
    tag: str = ""
    scorer_version: str = ""
    switch_usd: float | None = None
    switch_gain_usd: float | None = None
    verdict: Literal["accepted", "rejected"] | None = None
    verdict_score: float | None = None
    verdict_threshold: float | None = None
    escalation_propensity: float | None = None
    second_agrees: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer. `estimated`: counted by us, because the reply did not tell.

    cached_tokens, written_tokens: of the prompt, read from and written to the provider's own prompt cache; of the
    written ones `long_written_tokens` are kept for an hour. reasoning_tokens: of the completion.
    audio_tokens, image_tokens: of the prompt; spoken_tokens, drawn_tokens: of the completion, as sound and as pictures.
    searches: web searches at the provider. service_tier: how the provider says that it served, "" for the usual way.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    written_tokens: int = 0
    long_written_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    spoken_tokens: int = 0
    drawn_tokens: int = 0
    searches: int = 0
    service_tier: str = ""
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def to_openai(self) -> dict[str, int]:
        """The three counts of OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }


_DECISION_FIELDS = tuple(each.name for each in fields(Decision))
_USAGE_FIELDS = tuple(each.name for each in fields(Usage))


def fields_of(record: Decision | Usage) -> dict[str, Any]:
    """The record's fields by name, as JSON takes them. Nothing in these records needs the deep copy of `asdict`."""
    names = _DECISION_FIELDS if isinstance(record, Decision) else _USAGE_FIELDS
    return {name: getattr(record, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of one model. `error` is an AttemptError's kind, or None; times in seconds; cost in USD.

    `usage` is None where the provider never reported it and nothing was received. `sent`: whether anything of it may
    have reached the model. `written`: the most tokens that can have been written when its caller left a stream in the
    middle, where the stream told how far it was. `dropped`: the caller's parameters that were left out because they
    change no answer. tier: `none` for a model that stands in none. second_sample: made beside the request's first one,
    for the sake of its verdict alone.
    """

    model: str
    tier: ServedTier
    duration_s: float
    first_chunk_s: float | None = None
    error: str | None = None
    status: int | None = None
    usage: Usage | None = None
    cost_usd: Decimal = Decimal(0)
    response_model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    sent: bool = True
    written: int | None = None
    dropped: tuple[str, ...] = ()
    operation: Operation = "chat"
    second_sample: bool = False


SkipReason = Literal[
    "open",  # its circuit is open
    "misconfigured",  # its circuit is open because it refuses our key, its name or its address
    "paused",  # it answered 429 and asked to be left alone
    "full",  # as many calls as allowed are under way, and as many more wait
    "rate",  # as much as its provider allows in this time has been asked of it
    "window",  # its context window is no larger than the one that the request did not fit
    "budget",  # its worst case does not fit the reservation
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A candidate that was not called, or not once more, and why."""

    model: str
    reason: SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What finally happened to one request.

    decision: None where the request was refused before one was made, and for embeddings, which are never routed.
    tier, model: who really answered (`none` and "" for the plain answer and for errors; `none` for a model in no tier).
    attempts, skipped: whom it was tried at, and whom not, in order; () for a hit and for a follower.
    cost_usd: what this request's attempts cost, in USD; 0 for a hit and for a follower of a flight.
    turnout_s: this library's own time; inference_s: time in attempts (for a follower: spent waiting for
    the flight); waited_s: back-off and queueing. On a stream up to the first content-bearing chunk.
    error: the code of the error that was served, or None. age_s: of a cached answer.
    limits: the headers that tell the rate limits which applied. dropped: parameters left out of the call that
    answered, because they change no answer. cache_key: what its answer is stored by; None: it is not stored.
    similarity: of a semantic hit, the cosine between the two questions, in [-1, 1].
    request: what was asked.
    """

    request_id: str
    decision: Decision | None
    tier: ServedTier
    model: str
    reason: Reason | None
    cache: CacheState
    attempts: tuple[Attempt, ...] = ()
    skipped: tuple[Skip, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    turnout_s: float = 0.0
    inference_s: float = 0.0
    waited_s: float = 0.0
    first_chunk_s: float | None = None
    streamed: bool = False
    age_s: float | None = None
    user: str = ""
    endpoint: str = ""
    error: str | None = None
    limits: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    operation: Operation = "chat"
    cache_key: bytes | None = field(default=None, repr=False)
    similarity: float | None = None
    request: ChatRequest | None = field(default=None, repr=False, compare=False)
