"""A provider's usage is read in one place, counts upwards where it contradicts itself, and is not always believed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.openai.usage import MOST_TOKENS, TokenLimits, merged_usage, read_usage, reported_usage


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
        (usage(10, 5, 15, completion_tokens_details={"rejected_prediction_tokens": 9}), 10, 14),
        (usage(10.0, 5.0), 10, 5),
        (usage("10", "5", "15"), 10, 5),
        # Perplexity: what it reasons and what it cites is billed beside the two.
        (usage(33, 100, 133, reasoning_tokens=900, citation_tokens=50), 83, 1000),
        (usage(33, 100, 133, reasoning_tokens=90, num_search_queries=2), 33, 190),
        (usage(33, 100, 133, reasoning_tokens=900), 33, 1000),
        (usage(33, 100, 133, completion_tokens_details={"reasoning_tokens": 900}, reasoning_tokens=900), 33, 1000),
        # Anthropic's and the Responses' names, without a total.
        ({"usage": {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 5}}, 12, 3),
        ({"usage": {"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 5}}}, 7, 3),
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
    # SGLang: what it reasons is a part of the completion.
    assert read_usage(usage(10, 500, 510, reasoning_tokens=400)).fault == ""


@pytest.mark.parametrize(
    "expected", [usage(10, 10**17, 20), usage(-1, 10), usage(10, math.inf), usage(math.nan, 1), usage(10, 1, 10**400)]
)
def test_what_no_model_can_have_is_not_believed(expected: Any) -> None:
    """Below nothing, no number, or beyond every window."""
    assert read_usage(expected) == (None, "impossible")


@pytest.mark.parametrize("told", [usage(0, 0, 0), usage(9, 0, 9), usage(0, 9, 9), usage(9, "x"), usage(9, [])])
def test_an_answer_of_no_tokens_is_not_believed(told: Any) -> None:
    """There was a prompt, and there is an answer; what was asked for and said nothing may be of none."""
    assert read_usage(told, answered=True) == (None, "impossible")
    assert read_usage(usage(9, 0, 9)).usage is not None
    assert read_usage(usage(None, None, 9), answered=True).usage is not None


def test_a_streams_usage_is_the_most_that_it_told() -> None:
    """Anthropic's prompt comes first and its answer last; sums so far grow; zeros at the end take nothing back."""
    parts = [usage(20, 1, 21)["usage"], usage(0, 9, 9)["usage"], usage(0, 0, 0)["usage"]]
    merged = None
    for part in parts:
        merged = merged_usage(merged, part)
    assert read_usage({"usage": merged}, answered=True) == read_usage(usage(20, 9, 29))


def test_what_callers_read_is_what_was_counted() -> None:
    """In OpenAI's places, beside what else the provider told; a cost of ours is no word of its own."""
    own = {**usage("7", "4", prompt_tokens_details={"cached_tokens": "2", "x": 1})["usage"], "queue_s": 1, "turnout": 5}
    counted = read_usage({"usage": own}).usage
    assert counted is not None
    assert reported_usage(counted, own) == {
        "prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11, "queue_s": 1,
        "prompt_tokens_details": {"cached_tokens": 2, "x": 1},
    }  # fmt: skip


@pytest.mark.parametrize("late", [-3, "many", float("nan")])
def test_a_count_that_is_none_is_not_hidden_by_a_streams_other_counts(late: Any) -> None:
    """Anthropic tells one token at a stream's begin: the end that nobody can have is not believed."""
    merged = merged_usage({"input_tokens": 5, "output_tokens": 1}, {"output_tokens": late})
    for after in ({}, {"output_tokens": 4}):
        assert read_usage({"usage": merged_usage(merged, after)}) == (None, "impossible")


def test_a_models_own_limits_say_what_it_can_have() -> None:
    """Its window and its largest output, once for each choice."""
    limits = TokenLimits(input=100, output=50)
    assert read_usage(usage(100, 50), limits).usage is not None
    assert read_usage(usage(100, 51), limits).usage is None
    assert read_usage(usage(100, 100), limits, 2).usage is not None
    assert read_usage(usage(MOST_TOKENS - 1, 1), TokenLimits(input=100)).usage is not None


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_a_count_of_thousands_of_digits_is_impossible_and_no_error(name: str) -> None:
    """Python reads no number from so many, in a text either."""
    fields = {**usage(7, 4)["usage"], name: "9" * 5000}
    assert read_usage({"usage": fields}) == (None, "impossible")
    assert merged_usage({name: 1}, {name: "9" * 5000})[name] == "9" * 5000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.integers(0, 99).map(str),
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
