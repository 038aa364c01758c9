"""A provider's `usage`, read in one place: budgets, limits, prices, log and spans read only what this returns. Pure.

A usage that contradicts itself counts upwards: output is at least the total without the prompt, and at least what its
details add up to. One that the model cannot have is not believed at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from turnout.records import Usage

# The most tokens of one call where the model's own limits are unknown: ten times the largest window on offer.
MOST_TOKENS = 10_000_000
# Where providers tell the prompt tokens read from and written to their own prompt cache, besides OpenAI's place.
_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")
_WRITTEN = ("cache_creation_input_tokens",)
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

# A provider's words for its usual way of serving.
_USUAL = frozenset({"auto", "default", "standard"})
# What a request may need of a model beside room.
ABILITIES = ("images", "tools", "json_schema", "reasoning")

UsageFault = Literal["", "contradictory", "impossible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """The most tokens that one model reads (its window) and writes (of one choice); None where unknown.

    shared: the window holds the answer too. cache_least: the shortest prompt that the provider caches. abilities: what
    of ABILITIES it has; None where unknown.
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


def read_usage(body: Mapping[str, Any], limits: TokenLimits = NO_LIMITS, choices: int = 1) -> UsageReport:
    """The usage in this answer or chunk. choices: how many were asked for."""
    fields = body.get("usage")
    if not isinstance(fields, Mapping):
        return UsageReport(None)
    numbers = _numbers(fields)
    if any(number < 0 for number in numbers.values()):
        return UsageReport(None, "impossible")
    prompt, completion, total = (numbers.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if completion is None and total is None:
        return UsageReport(None)
    if prompt is None:
        prompt = max(0, (total or 0) - completion) if completion is not None else 0
    usage = _counted_upwards(numbers, prompt, completion or 0, total)
    if isinstance(served := body.get("service_tier") or fields.get("service_tier"), str) and served not in _USUAL:
        usage = replace(usage, service_tier=served[:40])
    if usage.total_tokens > limits.most(choices):
        return UsageReport(None, "impossible")
    counted = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    agrees = counted == (prompt, completion, usage.total_tokens if total is None else total)
    return UsageReport(usage, "" if agrees else "contradictory")


def _counted_upwards(numbers: Mapping[str, int], prompt: int, completion: int, total: int | None) -> Usage:
    cached, written = _first(numbers, "cached", _CACHED), _first(numbers, "written", _WRITTEN)
    if cached + written > prompt:
        # Reported beside the prompt, as Anthropic's own counts are.
        prompt += cached + written
    reasoning = numbers.get("reasoning", 0)
    parts = reasoning + sum(numbers.get(name, 0) for name in ("audio", "accepted", "rejected"))
    if total is None and parts > completion:
        # Reported beside the answer, and no total says so.
        completion += parts
    searches = numbers.get("searches", 0)
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
        searches=searches,
    )


def _numbers(fields: Mapping[str, Any]) -> dict[str, int]:
    """Every count in the usage and its details that is a number; one that is none, such as NaN, as -1."""
    counts = {name: value for name, value in fields.items() if isinstance(name, str) and name.endswith("_tokens")}
    if prompt := _mapping(fields.get("prompt_tokens_details")):
        for name, place in _PROMPT_DETAILS:
            counts[name] = prompt.get(place)
        counts["written"] = prompt.get("cache_creation_tokens") or prompt.get("cache_write_tokens")
    if completion := _mapping(fields.get("completion_tokens_details")):
        for name, place in _COMPLETION_DETAILS:
            counts[name] = completion.get(place)
    # Anthropic's own form, and litellm's.
    if kept := _mapping(fields.get("cache_creation")) or _mapping(prompt.get("cache_creation_token_details")):
        counts["long_written"] = kept.get("ephemeral_1h_input_tokens")
    if (searches := _mapping(fields.get("server_tool_use")).get("web_search_requests")) is not None:
        counts["searches"] = searches
    return {name: number for name, value in counts.items() if (number := _number(value)) is not None}


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value
    return int(value) if value.is_integer() else -1


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(numbers: Mapping[str, int], own: str, others: tuple[str, ...]) -> int:
    return next((numbers[name] for name in (own, *others) if numbers.get(name)), 0)
