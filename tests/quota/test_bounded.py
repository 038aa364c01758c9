"""Where a budget or a token limit applies, whatever has no known bound is refused, and everything else is not."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.errors import InvalidRequest
from turnout.quota.token_bounds import prompt_size

HI: dict[str, Any] = {"role": "user", "content": "hi"}
LINK = "https://files.example.invalid/"


@pytest.mark.parametrize(
    "extra",
    [
        {"generationConfig": {}},
        {"options": {}},
        {"models": ["x"]},
        {"cachedContent": "c"},
        {"contents": []},
        {"new": 1},
    ],
)
def test_a_parameter_that_is_not_known_is_refused_by_its_name(extra: dict[str, Any]) -> None:
    """It may lift the cap, choose another model or refer to a corpus."""
    with pytest.raises(InvalidRequest) as refused:
        prompt_size((HI,), {}, extra)
    assert refused.value.param == next(iter(extra))


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"web_search_options": {}}, "web_search_options"),
        ({"audio": {"voice": "a"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"tools": [{"type": "function"}, {"type": "web_search_20250305"}]}, "tools[1]"),
    ],
)
def test_what_has_a_price_of_its_own_is_refused(params: dict[str, Any], param: str) -> None:
    """Searches, sound, a dearer service."""
    with pytest.raises(InvalidRequest) as refused:
        prompt_size((HI,), params, {})
    assert refused.value.param == param


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "url", "url": LINK + "a.pdf"}},
        {"type": "video_url", "video_url": {"url": LINK + "a.mp4"}},
        {"type": "image_url", "image_url": {"url": LINK + "a.pdf"}},
        {"type": "image_url", "image_url": {"url": LINK + "a?x=.png"}},
        {"type": "image_url", "image_url": {"url": LINK + "a.png", "format": "video/mp4"}},
        {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,AA"}},
        {"type": "image_url", "image_url": {"url": "https://[", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": LINK + "a.png", "file_uri": LINK + "a.mp4"}},
        {"type": "image_url", "image_url": {"url": LINK + "a.png"}, "source": {"type": "url", "url": LINK + "a.mp4"}},
        {"type": "image_url", "image_url": 5},
        {"type": "input_image", "file_id": "f"},
    ],
)
def test_content_that_is_only_referred_to_is_refused_with_its_place(part: dict[str, Any]) -> None:
    """A film or a thousand pages may stand behind a few bytes."""
    with pytest.raises(InvalidRequest) as refused:
        prompt_size(({"role": "user", "content": [{"type": "text", "text": "what"}, part]},), {}, {})
    assert refused.value.param == "messages[0].content[1]"


def test_a_field_of_a_message_that_is_not_known_is_refused() -> None:
    """An answer's sound, told by its id, is read again."""
    message = {"role": "assistant", "content": "x", "audio": {"id": "a"}}
    with pytest.raises(InvalidRequest) as refused:
        prompt_size((HI, message), {}, {})
    assert refused.value.param == "messages[1].audio"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "file_search_call", "id": "fs_1"},
        {"type": "computer_call_output", "output": "x"},
        {"type": "function_call_output", "output": "x"},
        {"type": "custom_tool_call_output", "output": [{"type": "input_file", "file_id": "f"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "input_image", "image_url": LINK + "a.png"}]},
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "x"}, {"type": "input_file", "file_id": "f"}],
        },
        {"type": "message", "content": [{"type": ["output_text"]}]},
        {"type": "message", "content": ["x"]},
        {"type": "message", "content": {"type": "output_text"}},
    ],
)
def test_an_item_of_the_responses_protocol_that_is_not_known_is_refused(item: dict[str, Any]) -> None:
    """Nor one that is known with anything in it but text: it goes to the provider as it came."""
    message = {"role": "assistant", "content": "x", "response_items": [item]}
    with pytest.raises(InvalidRequest) as refused:
        prompt_size((HI, message), {}, {})
    assert refused.value.param == "messages[1]"


def test_an_item_that_holds_text_alone_goes_through() -> None:
    """What a model said, thought and called, and what a tool of the app's gave."""
    items = [
        {"type": "reasoning", "encrypted_content": "x", "summary": [{"type": "summary_text", "text": "x"}]},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "x"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "refusal", "refusal": "x"}]},
        {"role": "assistant", "content": "x"},
        {"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "x"},
    ]
    prompt_size((HI, {"role": "assistant", "content": "x", "response_items": items}), {}, {})


def test_what_is_known_goes_through() -> None:
    """Images as data or by an image's address, tool calls, thinking, the usual parameters."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}
    linked = {"type": "image_url", "image_url": LINK + "a.JPG?s=1"}
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}], "thinking_blocks": [], "audio": None}
    tools = [{"type": "function", "function": {"name": "f"}}]
    size = prompt_size(
        ({"role": "user", "content": [image, linked]}, called),
        {"tools": tools, "service_tier": "flex", "modalities": ["text"], "n": 2},
        {"top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}, "store": True},
    )
    assert size.images == 2


@pytest.mark.parametrize("kind", [[], {}, 1, None, True])
def test_a_tool_whose_type_is_no_text_is_refused(kind: Any) -> None:
    """Whatever stands there: it is the request that is wrong, not we."""
    with pytest.raises(InvalidRequest) as refused:
        prompt_size((HI,), {"tools": [{"type": kind}]}, {})
    assert refused.value.param == "tools[0]"


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_an_hours_prompt_cache_is_seen_however_deep_it_is_asked_for(ttl: str) -> None:
    """The search holds no frame of Python's for each level, of which there are a thousand."""
    schema: dict[str, Any] = {"cache_control": {"ttl": ttl}}
    for _ in range(700):
        schema = {"not": schema}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert prompt_size((HI,), {"tools": [tool]}, {}).long_written == (ttl == "1h")


@pytest.mark.parametrize("place", ["content", "documents", "none"])
def test_an_hours_prompt_cache_is_seen_wherever_it_is_asked_for(place: str) -> None:
    """In a message's part, and in a provider's own parameter."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    part = {"type": "text", "text": "x", **(mark if place == "content" else {})}
    extra = {"documents": [mark]} if place == "documents" else {}
    assert prompt_size(({"role": "user", "content": [part]},), {}, extra).long_written == (place != "none")
