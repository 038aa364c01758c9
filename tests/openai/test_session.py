"""What a conversation is known by."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.openai.requests import from_mapping
from turnout.openai.session import has_answer, is_tool_turn, opening, take_session_id

HELLO = [{"role": "system", "content": "S"}, {"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("header", "body", "given", "left"),
    [
        ("h", {}, "h", {}),
        ("h", {"metadata": {"session_id": "m", "a": "b"}}, "h", {"metadata": {"a": "b"}}),
        ("", {"metadata": {"session_id": "m"}}, "m", {}),
        ("", {"prompt_cache_key": "k", "top_k": 1}, "k", {"top_k": 1}),
        ("", {"thread": 7, "metadata": {"a": "b"}}, "7", {"metadata": {"a": "b"}}),
        ("", {"metadata": {"session_id": ["no"]}, "thread": ""}, "", {}),
    ],
)
def test_the_first_id_counts_and_none_is_sent_on(header: str, body: Any, given: str, left: Any) -> None:
    """Header, metadata, prompt_cache_key, the configured fields."""
    session_id, request = take_session_id(from_mapping({"messages": HELLO, **body}), header, ("thread",))
    assert (session_id, dict(request.extra)) == (given, left)


def test_a_conversation_begins_with_its_system_prompt_and_first_user_turn() -> None:
    """What follows changes nothing; what those two say does, at any length."""
    later = [*HELLO, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}]
    assert "".join(opening(tuple(later))) == "".join(opening(tuple(HELLO)))
    long = [{"role": "user", "content": "x" * 50_000}]
    longer = [{"role": "user", "content": "x" * 50_001}]
    assert "".join(opening(tuple(long))) != "".join(opening(tuple(longer)))
    assert sum(map(len, opening(tuple(long)))) < 9_000
    assert has_answer(tuple(later))
    assert not has_answer(tuple(HELLO))
    assert is_tool_turn([*later, {"role": "tool", "content": "42"}])
