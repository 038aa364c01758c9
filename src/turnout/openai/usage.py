"""A provider's `usage`, read in one place: budgets, limits, prices, log, spans and the answers of every protocol tell
only what this returns. Pure.

A usage that contradicts itself counts upwards: output is at least the total without the prompt, and at least what its
details add up to. One that the model cannot have is not believed at all, such as an answer of no tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from turnout.records import Usage

# The most tokens of one call where the model's own limits are unknown: ten times the largest window on offer.
MOST_TOKENS = 10_000_000
# The three counts, by OpenAI's names for chats, and by Anthropic's, which its Responses have too.
_PROMPT, _COMPLETION, _TOTAL = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), "total_tokens"
_COUNTS = frozenset({*_PROMPT, *_COMPLETION, _TOTAL})
_DETAILS = {"prompt_tokens": "input_tokens_details", "completion_tokens": "output_tokens_details"}
# Where providers tell the prompt tokens read from and written to their own prompt cache, besides OpenAI's place.
_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")
_WRITTEN = ("cache_creation_input_tokens",)
# Perplexity's counts, told beside OpenAI's and billed beside them.
_BESIDE_PROMPT, _BESIDE_COMPLETION, _SEARCHES = "citation_tokens", "reasoning_tokens", "num_search_queries"
# What we call the counts in the details of a prompt's and of a completion's tokens.
_PROMPT_DETAILS = (
    ("cached", "cached_tokens"),
    ("prompt_audio", "audio_tokens"),
    ("images", "image_tokens"),
    ("searches", "web_search_requests"),
)
_COMPLETION_DETAILS = (
    ("drawn", "image_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("audio", "audio_tokens"),
    ("accepted", "accepted_prediction_tokens"),
    ("rejected", "rejected_prediction_tokens"),
)

# xAI's unit of what it charges, in USD; and what no call costs: a report of more is none.
_TICK, _DEAREST_USD = Decimal(10) ** -10, 10_000

# A provider's words for its usual way of serving.
_USUAL = frozenset({"auto", "default", "standard"})

UsageFault = Literal["", "contradictory", "impossible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """The most tokens that one model reads (its window) and writes (of one choice); None where unknown.

    shared: the window holds the answer too. cache_least: the shortest prompt that the provider caches. abilities: of
    images, tools, json_schema and reasoning those that it has; None where unknown.
    """

    input: int | None = None
    output: int | None = None
    shared: bool = False
    cache_least: int = 1024
    abilities: frozenset[str] | None = None

    def hold(self, prompt_tokens: int, output_tokens: int) -> bool:
        """Whether a prompt and an answer of so many tokens fit, as far as is known."""
        return self.input is None or prompt_tokens + (output_tokens if self.shared else 0) <= self.input

    def most(self, choices: int) -> int:
        """The most tokens that one call with so many choices can have."""
        if self.input is None or self.output is None:
            return MOST_TOKENS
        return self.input + max(1, choices) * self.output


NO_LIMITS = TokenLimits()


class UsageReport(NamedTuple):
    """usage: None where the answer tells none, or an impossible one. fault: what is wrong with what it tells."""

    usage: Usage | None
    fault: UsageFault = ""


# Longer texts are no counts; Python reads no number from more than 4300 digits.
_DIGITS = 18


def read_usage(
    body: Mapping[str, Any], limits: TokenLimits = NO_LIMITS, choices: int = 1, *, answered: bool = False
) -> UsageReport:
    """The usage in this answer or chunk. choices: how many were asked for. answered: there was a prompt, and an answer
    with content, neither of which can be of no tokens."""
    fields = body.get("usage")
    if not isinstance(fields, Mapping):
        return UsageReport(None)
    numbers = _numbers(fields)
    if any(number < 0 for number in numbers.values()):
        return UsageReport(None, "impossible")
    prompt, completion, total = _most(numbers, _PROMPT), _most(numbers, _COMPLETION), numbers.get(_TOTAL)
    if completion is None and total is None:
        return UsageReport(None)
    if prompt is None:
        prompt = max(0, (total or 0) - completion) if completion is not None else 0
    if "prompt_tokens" not in numbers and not numbers.keys() & {"cached", "written"}:
        # Anthropic's own counts: what was cached stands beside the prompt.
        prompt += _first(numbers, "cached", _CACHED) + _first(numbers, "written", _WRITTEN)
    usage = _counted_upwards(numbers, prompt, completion or 0, total)
    if isinstance(served := body.get("service_tier") or fields.get("service_tier"), str) and served not in _USUAL:
        usage = replace(usage, service_tier=served[:40])
    if usage.total_tokens > limits.most(choices):
        return UsageReport(None, "impossible")
    # A total alone counts as output, the dearer side.
    if answered and not (usage.completion_tokens and (usage.prompt_tokens or completion is None)):
        return UsageReport(None, "impossible")
    counted = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    agrees = counted == (prompt, completion, usage.total_tokens if total is None else total)
    return UsageReport(usage, "" if agrees else "contradictory")


def reported_cost(fields: Any) -> Decimal | None:
    """What the provider says that it charges for the call, in USD: xAI's ticks, OpenRouter's cost with what it had the
    app's own key charged for (`is_byok`), Perplexity's total. fields: the usage; None where it does not say."""
    usage = _mapping(fields)
    if (ticks := _usd(usage.get("cost_in_usd_ticks"), most=_DEAREST_USD / _TICK)) is not None:
        return ticks * _TICK
    cost = usage.get("cost")
    charged = _usd(_mapping(cost).get("total_cost") if isinstance(cost, Mapping) else cost)
    if charged is not None and usage.get("is_byok") is True:
        charged += _usd(_mapping(usage.get("cost_details")).get("upstream_inference_cost")) or 0
    return charged


def _usd(value: Any, most: Decimal | int = _DEAREST_USD) -> Decimal | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    return Decimal(repr(value)) if good else None


def merged_usage(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """What a stream has told of its usage by now: the largest of each count. Some tell the prompt first and the answer
    last, some the sum so far with each chunk, some zeros at the end. What is no count stays: nothing later mends it."""
    if before is None:
        return {**after}
    merged = {**before}
    for name, value in after.items():
        known = merged.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[name] = merged_usage(known, value)
        elif value is None or _is_no_count(name, known):
            continue
        elif _is_no_count(name, value) or not (_read(known) or 0) > (_read(value) or 0):
            merged[name] = value
    prompt, completion = _most(_numbers(merged), _PROMPT), _most(_numbers(merged), _COMPLETION)
    totalled = _TOTAL in merged and not _is_no_count(_TOTAL, merged[_TOTAL])
    if totalled and merged != {**before} and prompt is not None and completion is not None:
        # Each part had a total of its own.
        merged[_TOTAL] = max(_read(merged[_TOTAL]) or 0, prompt + completion)
    return merged


def reported_usage(usage: Usage, fields: Any) -> dict[str, Any]:
    """The `usage` object that callers read: what was counted, in OpenAI's places, and what else the provider told.
    fields: the provider's own."""
    own: Mapping[str, Any] = {} if usage.estimated else _mapping(fields)
    details = {
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_creation_tokens": usage.written_tokens,
            "audio_tokens": usage.audio_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.spoken_tokens},
    }
    reported = {name: value for name, value in own.items() if name not in details and name != "turnout"}
    for name, counts in details.items():
        given = {key: value for key, value in _mapping(own.get(name)).items() if value is not None}
        counted = {key: count for key, count in counts.items() if count or key in given}
        if given or counted:
            reported[name] = {**given, **counted}
    return {**reported, **usage.to_openai()}


def _counted_upwards(numbers: Mapping[str, int], prompt: int, completion: int, total: int | None) -> Usage:
    cached, written = _first(numbers, "cached", _CACHED), _first(numbers, "written", _WRITTEN)
    if cached + written > prompt:
        # Reported beside the prompt, under OpenAI's names.
        prompt += cached + written
    prompt += numbers.get(_BESIDE_PROMPT, 0)
    reasoning = numbers.get("reasoning", 0)
    parts = reasoning + sum(numbers.get(name, 0) for name in ("audio", "accepted", "rejected"))
    if parts > completion and (total is None or total <= prompt + completion):
        # Reported beside the answer, and no total holds them.
        completion += parts
    if "reasoning" not in numbers:
        reasoning = numbers.get(_BESIDE_COMPLETION, 0)
        # Perplexity's stands beside the answer, other servers' is a part of it.
        if reasoning > completion or numbers.keys() & {_BESIDE_PROMPT, _SEARCHES}:
            completion += reasoning
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=max(completion, parts, (total or 0) - prompt),
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        written_tokens=written,
        long_written_tokens=min(written, numbers.get("long_written", 0)),
        audio_tokens=numbers.get("prompt_audio", 0),
        image_tokens=numbers.get("images", 0),
        spoken_tokens=numbers.get("audio", 0),
        drawn_tokens=numbers.get("drawn", 0),
        searches=max(numbers.get("searches", 0), numbers.get(_SEARCHES, 0)),
    )


def _numbers(fields: Mapping[str, Any]) -> dict[str, int]:
    """Every count that we know in the usage and its details; -1 for NaN, and for what is no number among the three
    that matter."""
    counts = {name: fields.get(name) for name in (*_CACHED, *_WRITTEN, _BESIDE_PROMPT, _BESIDE_COMPLETION, _SEARCHES)}
    for name in (*_PROMPT, *_COMPLETION, _TOTAL):
        if fields.get(name) is not None:
            counts[name] = -1 if (number := _read(fields[name])) is None else number
    prompt, completion = (
        _mapping(fields.get(f"{name}_details") or fields.get(other)) for name, other in _DETAILS.items()
    )
    for name, place in _PROMPT_DETAILS:
        counts[name] = prompt.get(place)
    counts["written"] = prompt.get("cache_creation_tokens") or prompt.get("cache_write_tokens")
    for name, place in _COMPLETION_DETAILS:
        counts[name] = completion.get(place)
    # Anthropic's own form, and litellm's.
    if kept := _mapping(fields.get("cache_creation")) or _mapping(prompt.get("cache_creation_token_details")):
        counts["long_written"] = kept.get("ephemeral_1h_input_tokens")
    if (searches := _mapping(fields.get("server_tool_use")).get("web_search_requests")) is not None:
        counts["searches"] = searches
    if (calls := _mapping(fields.get("server_side_tool_usage_details")).get("web_search_calls")) is not None:
        counts["searches"] = calls
    return {name: number for name, value in counts.items() if (number := _read(value)) is not None}


def _is_no_count(name: str, value: Any) -> bool:
    """Whether one of the counts that matter is told as what none can be: below zero, or no number."""
    if name not in _COUNTS or value is None:
        return False
    number = _read(value)
    return number is None or number < 0


def _read(value: Any) -> int | None:
    """A count, also where it is told as a text; -1 for a number that counts nothing; None for what is no number."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value) if len(value) <= _DIGITS else -1
    if isinstance(value, float):
        return int(value) if value.is_integer() else -1
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _most(numbers: Mapping[str, int], names: tuple[str, ...]) -> int | None:
    return max((numbers[name] for name in names if name in numbers), default=None)


def _first(numbers: Mapping[str, int], own: str, others: tuple[str, ...]) -> int:
    return next((numbers[name] for name in (own, *others) if numbers.get(name)), 0)
