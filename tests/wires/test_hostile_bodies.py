"""Bodies that are nearly right, and wrong in any place: a request or a 400, never another exception."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.errors import InvalidRequest
from turnout.openai.embeddings import embedding_from
from turnout.openai.requests import from_mapping
from turnout.quota.token_bounds import prompt_size
from turnout.wires import completions, messages_request, responses_request

MESSAGES_BODY: Any = {
    "model": "auto",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
        {
            "role": "user",
            "content": [
                {"type": "document", "source": {"type": "base64", "media_type": "a", "data": "b"}},
                {"type": "document", "source": {"type": "text", "data": "b"}, "title": "t", "context": "c"},
            ],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}],
        },
    ],
    "tools": [{"name": "n", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "n"},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "metadata": {"user_id": "u"},
    "cache_control": {"type": "ephemeral"},
    "output_config": {"effort": "high"},
    "service_tier": "auto",
    "turnout": {"tag": "t"},
    "stop_sequences": ["x"],
}
RESPONSES_BODY: Any = {
    "model": "auto",
    "instructions": "i",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "https://x"}],
        },
        {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
        {"type": "reasoning", "summary": []},
    ],
    "tools": [{"type": "function", "name": "n", "parameters": {}, "strict": True}],
    "tool_choice": {"type": "function", "name": "n"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
    "reasoning": {"effort": "low"},
    "include": ["message.output_text.logprobs"],
    "top_logprobs": 2,
    "turnout": {"tag": "t"},
    "metadata": {"a": "b"},
    "max_output_tokens": 9,
}
COMPLETIONS_BODY: Any = {
    "model": "auto",
    "prompt": ["x"],
    "max_tokens": 9,
    "stop": ["a"],
    "echo": False,
    "best_of": 1,
    "stream_options": {"include_usage": True},
    "turnout": {"tag": "t"},
}
EMBEDDINGS_BODY: Any = {
    "model": "auto",
    "input": ["x", [1, 2]],
    "dimensions": 3,
    "encoding_format": "base64",
    "user": "u",
    "turnout": {"cache": False},
}
# As deep as a body can be parsed.
DEEP: Any = 1
for level in range(1000):
    DEEP = [DEEP] if level % 2 else {"a": DEEP}
ODD = st.one_of(
    st.just(DEEP),
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([1]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything that the value holds."""
    if value is DEEP:
        return []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, item in items for found in [(*path, name), *places(item, (*path, name))]]


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with something odd at this path."""
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], odd)
    return copy


def holds(translate: Callable[[Mapping[str, Any]], dict[str, Any]], body: Any, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 2))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(ODD))
    with contextlib.suppress(InvalidRequest):
        from_mapping(translate(body))


CHAT_BODY: Any = {
    "model": "auto",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "n"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ],
    "tools": [{"type": "function", "function": {"name": "n", "parameters": {"type": "object"}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "service_tier": "auto",
    "modalities": ["text"],
    "stop": ["x"],
    "max_tokens": 9,
    "thinking": {"type": "enabled"},
    "turnout": {"tag": "t", "threshold": 0.5},
}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_chat_body_is_a_request_whose_worst_case_is_known_or_refused(data: st.DataObject) -> None:
    """As where a budget applies."""

    def sized(body: Mapping[str, Any]) -> dict[str, Any]:
        request = from_mapping(body)
        prompt_size(request.messages, request.params, request.extra)
        return dict(body)

    holds(sized, CHAT_BODY, data)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_messages_body_is_a_request_or_refused(data: st.DataObject) -> None:
    """Anthropic's."""
    holds(messages_request.to_chat, MESSAGES_BODY, data)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_responses_body_is_a_request_or_refused(data: st.DataObject) -> None:
    """OpenAI's."""
    holds(responses_request.to_chat, RESPONSES_BODY, data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_completions_body_is_a_request_or_refused(data: st.DataObject) -> None:
    """OpenAI's legacy one."""
    holds(completions.to_chat, COMPLETIONS_BODY, data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_embeddings_body_is_a_request_or_refused(data: st.DataObject) -> None:
    """Its inputs are texts and tokens, whatever stood there."""
    body = EMBEDDINGS_BODY
    for _ in range(data.draw(st.integers(1, 2))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(ODD))
    with contextlib.suppress(InvalidRequest):
        assert all(isinstance(item, str | tuple) and item for item in embedding_from(body).inputs)
