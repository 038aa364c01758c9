"""A provider's usage is read in one place, counts upwards where it contradicts itself, and is not always believed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.openai.usage import MOST_TOKENS, TokenLimits, read_usage


def usage(prompt: Any = 10, completion: Any = 10, total: Any = None, **more: Any) -> dict[str, Any]:
    actual = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}
    return {"usage": {name: value for name, value in actual.items() if value is not None}}


def test_details_are_read_wherever_a_provider_tells_them() -> None:
    """Cached and written prompt tokens, reasoning; OpenAI's places, DeepSeek's and Anthropic's."""
    details = {"prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 3}}
    read, fault = read_usage(usage(8, 4, 12, **details))
    assert (read.cached_tokens, read.reasoning_tokens, fault) == (5, 3, "")  # type: ignore[union-attr]
    assert read_usage(usage(8, 4, prompt_cache_hit_tokens=6)).usage.cached_tokens == 6  # type: ignore[union-attr]
    written = read_usage(usage(8, 4, 12, cache_creation_input_tokens=2)).usage
    assert written is not None
    assert written.written_tokens == 2


@pytest.mark.parametrize(
    ("expected", "prompt", "completion"),
    [
        # xAI and Gemini's OpenAI endpoint: only the total holds the reasoning.
        (usage(10, 10, 5020, completion_tokens_details={"reasoning_tokens": 5000}), 10, 5010),
        (usage(10, 10, completion_tokens_details={"reasoning_tokens": 5000}), 10, 5010),
        (usage(10, 10, 12), 10, 10),
        (usage(10, None, 30), 10, 20),
        (usage(None, 10, 30), 20, 10),
        (usage(None, None, 30), 0, 30),
        # A proxy that tells Anthropic's own counts: what was cached stands beside the prompt.
        (usage(3, 4, prompt_tokens_details={"cached_tokens": 100}), 103, 4),
        (usage(10, 5, 15, completion_tokens_details={"rejected_prediction_tokens": 9}), 10, 9),
        (usage(10.0, 5.0), 10, 5),
    ],
)
def test_a_usage_that_contradicts_itself_counts_upwards(expected: Any, prompt: int, completion: int) -> None:
    """Output is at least the total without the prompt, and at least its details."""
    read = read_usage(expected).usage
    assert read is not None
    assert (read.prompt_tokens, read.completion_tokens) == (prompt, completion)


def test_a_contradiction_is_named() -> None:
    """And a usage that adds up is not."""
    assert read_usage(usage(10, 10, 5020)).fault == "contradictory"
    assert read_usage(usage(10, 10, 20)).fault == ""
    assert read_usage(usage(10, 10)).fault == ""


@pytest.mark.parametrize(
    "expected", [usage(10, 10**17, 20), usage(-1, 10), usage(10, math.inf), usage(math.nan, 1), usage(10, 1, 10**400)]
)
def test_what_no_model_can_have_is_not_believed(expected: Any) -> None:
    """Below nothing, no number, or beyond every window."""
    assert read_usage(expected) == (None, "impossible")


def test_a_models_own_limits_say_what_it_can_have() -> None:
    """Its window and its largest output, once for each choice."""
    limits = TokenLimits(input=100, output=50)
    assert read_usage(usage(100, 50), limits).usage is not None
    assert read_usage(usage(100, 51), limits).usage is None
    assert read_usage(usage(100, 100), limits, 2).usage is not None
    assert read_usage(usage(MOST_TOKENS - 1, 1), TokenLimits(input=100)).usage is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"])
DETAILS = st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens"]), JSON) | JSON


@given(st.dictionaries(NAMES, JSON) | JSON, DETAILS, DETAILS)
def test_any_usage_is_read_or_refused(fields: Any, prompt: Any, completion: Any) -> None:
    """Whatever stands there: never an error, never a negative, never less than what was told."""
    if isinstance(fields, dict):
        fields = {**fields, "prompt_tokens_details": prompt, "completion_tokens_details": completion}
    read = read_usage({"usage": fields}).usage
    if read is not None:
        assert 0 <= read.cached_tokens + read.written_tokens <= read.prompt_tokens
        assert 0 <= read.reasoning_tokens <= read.completion_tokens
        assert read.total_tokens <= MOST_TOKENS
        actual = fields.get("total_tokens")
        assert isinstance(actual, bool) or not isinstance(actual, int) or read.total_tokens >= actual
