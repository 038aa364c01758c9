"""The bounds hold whatever counts the tokens; the caps are what is really sent."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.errors import InvalidRequest
from turnout.quota.token_bounds import TOOLS_TOKENS, output_bound, output_caps, prompt_size


def user(content: object) -> tuple[dict[str, object], ...]:
    return ({"role": "user", "content": content},)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_byte_tokenizer_counts_more(text: str) -> None:
    """A token a byte, before or after normalization, is still within the bound."""
    size = prompt_size(user(text), {}, {})
    assert size.tokens >= max(len(text.encode()), len(unicodedata.normalize("NFKC", text).encode()))


def test_a_character_that_normalization_makes_longer_is_bounded_as_the_longer() -> None:
    """U+FDFA is 3 bytes, and 33 after NFKC."""
    assert prompt_size(user("ﷺ" * 100), {}, {}).tokens >= 3300


def test_everything_that_travels_with_the_prompt_weighs() -> None:
    """Tools, names, tool calls, a response schema and a provider's own parameters."""
    plain = prompt_size(user("hi"), {}, {}).tokens
    tool = {"type": "function", "function": {"name": "add", "description": "d" * 500, "parameters": {}}}
    called = {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "x" * 400}}]}
    # Twice its compact JSON, and the prompt that a provider writes around offered tools.
    assert prompt_size(user("hi"), {"tools": [tool]}, {}).tokens > plain + 2 * 500 + TOOLS_TOKENS
    assert prompt_size((*user("hi"), called), {}, {}).tokens > plain + 400
    assert prompt_size(user("hi"), {"response_format": {"s": "x" * 300}}, {}).tokens > plain + 300
    assert prompt_size(user("hi"), {}, {"documents": ["x" * 300]}).tokens > plain + 300
    assert prompt_size(({"role": "user", "name": "n" * 90, "content": "hi"},), {}, {}).tokens > plain + 90


def test_an_image_is_counted_as_one_however_many_bytes_it_has() -> None:
    """Its bound is the model's own, not its base64."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    size = prompt_size(user([{"type": "text", "text": "what is it?"}, picture, picture]), {}, {})
    assert size.images == 2
    assert size.tokens < 1000


@pytest.mark.parametrize("kind", ["file", "input_file"])
def test_a_file_has_no_bound(kind: str) -> None:
    """Its pages are not known: refused, with the place named and what to do."""
    with pytest.raises(InvalidRequest, match="send its text") as excinfo:
        prompt_size(user([{"type": kind, "file": {"file_id": "f"}}]), {}, {})
    assert excinfo.value.param == "messages[0].content[0]"


def test_choices_multiply_the_cap() -> None:
    """`n` answers cost n times; a prediction may be billed besides."""
    assert output_caps({}) == {}
    assert output_caps({"max_tokens": 5, "max_completion_tokens": 9}) == {"max_tokens": 5, "max_completion_tokens": 9}
    assert output_bound(10, {"n": 3}) == 30
    assert output_bound(10, {"n": 3, "best_of": 5}) == 50
    assert output_bound(10, {"prediction": {"type": "content", "content": "y" * 100}}) > 110
