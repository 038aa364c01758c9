"""The least tokens of a prompt: never more than a tokenizer counts."""

from __future__ import annotations

import pytest

from turnout.openai.prompt_floor import characters, prompt_floor, text_floor
from turnout.upstream import litellm_import

PROSE = "The quick brown fox, which was tired, jumps over the lazy dog. It sleeps now.\n"


HAN = "\u4f60\u597d\uff0c\u4e16\u754c\u3002"
CODE = "def f(a, b):\n    return a\n"


@pytest.mark.parametrize("text", [PROSE * 50, "12345 " * 90, "", "   \n\n", CODE * 30, HAN * 20])
def test_it_is_below_what_a_tokenizer_counts(text: str) -> None:
    """OpenAI's cl100k, which litellm brings along."""
    litellm_import.load_litellm()
    from litellm.litellm_core_utils.default_encoding import encoding

    assert text_floor(text) <= len(encoding.encode(text))


def test_the_largest_of_the_bounds_counts() -> None:
    """Six bytes a token; a word a token; three unspaced characters a token."""
    assert text_floor("x" * 600) == 100
    assert text_floor("word " * 150_000) == 150_000
    assert text_floor("\u4f60\u597d\u5417" * 100) == 100


def test_parts_images_and_arguments_count() -> None:
    """Whatever the form of the content; characters are never fewer than tokens."""
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "image_url", "image_url": "u"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "a b c"}}]},
        {"role": "tool", "content": "four"},
    ]
    assert prompt_floor(messages) == 2 + 1 + 3 + 1
    assert characters(messages) == 7 + 5 + 4
