"""A finish is told by OpenAI's word, as the provider's own where nobody knows it, or is a failure."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.attempt_errors import ProviderFailed
from turnout.upstream.finishes import hidden_finishes, reported_finishes, to_openai_finish, unknown_finishes


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("stop", "stop"), ("end_turn", "stop"), ("COMPLETE", "stop"), ("STOP", "stop"), ("MAX_TOKENS", "length"),
        ("model_length", "length"), ("tool_use", "tool_calls"), ("SAFETY", "content_filter"), ("OTHER", "OTHER"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"), (5, "5"), (None, None), ("", None),
    ],
)  # fmt: skip
def test_a_finish_that_nobody_knows_is_told_as_it_came(own: Any, told: str | None) -> None:
    """Never as `stop`, which would be kept for others."""
    assert to_openai_finish(own) == told


@pytest.mark.parametrize("own", ["error", "ERROR", "TIMEOUT", "timeout", "server_error", "network_error", "abort"])
def test_a_finish_that_tells_a_failure_is_one(own: str) -> None:
    """In large or small letters."""
    with pytest.raises(ProviderFailed):
        to_openai_finish(own)


def test_each_wire_tells_its_finish_in_its_own_place() -> None:
    """OpenAI's, Gemini's, Cohere's and Anthropic's, whole and streamed."""
    assert unknown_finishes(
        {"choices": [{"index": 1, "finish_reason": "x"}, {"index": 0, "finish_reason": "stop"}]}
    ) == {1: "x"}
    assert unknown_finishes({"candidates": [{"finishReason": "OTHER"}]}) == {0: "OTHER"}
    assert reported_finishes({"delta": {"finish_reason": "COMPLETE"}}) == {0: "stop"}
    assert unknown_finishes({"delta": {"stop_reason": "x"}}) == unknown_finishes({"stop_reason": "x"}) == {0: "x"}
    assert reported_finishes([1]) == reported_finishes({"choices": 5, "delta": []}) == {}


def test_a_whole_answer_without_a_finish_is_told_apart() -> None:
    """In each wire's place; litellm says `stop` for it."""
    assert hidden_finishes({"choices": [{"index": 0}, {"index": 1, "finish_reason": "stop"}]}) == {0: None}
    assert hidden_finishes({"candidates": [{"finishReason": None}]}) == {0: None}
    assert hidden_finishes({"stop_reason": None}) == hidden_finishes({"type": "message"}) == {0: None}
    assert hidden_finishes({"finish_reason": "COMPLETE"}) == hidden_finishes({"stop_reason": "end_turn"}) == {}
    assert hidden_finishes({"done_reason": "stop"}) == hidden_finishes({"stopReason": "end_turn"}) == {}
