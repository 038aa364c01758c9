"""What a caller sends in our protocols beside chat completions: Messages, Responses, completions and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

KEYS = (
    "input", "instructions", "system", "prompt", "source", "media_type", "data", "url", "tool_use_id", "input_schema",
    "budget_tokens", "cache_control", "signature", "thinking", "redacted_thinking", "output", "call_id", "summary",
    "encrypted_content", "previous_response_id", "background", "include", "truncation", "conversation", "format",
    "stop_sequences", "max_output_tokens", "dimensions", "encoding_format", "suffix", "echo", "best_of", "container",
    "mcp_servers", "annotations", "status", "detail", "file_id", "image_url", "input_text", "output_text",
)  # fmt: skip
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
_TEXTS = ("hello", "prove that 2 + 2 = 4", "", "ü\u2028x")

_BLOCKS: tuple[dict[str, Any], ...] = (
    {"type": "text", "text": "what is this", "cache_control": {"type": "ephemeral"}},
    {"type": "text"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL}},
    {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:9/a.png"}},
    {"type": "image"},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
    {"type": "document", "source": {"type": "url", "url": "https://a.invalid/a.pdf"}},
    {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 2}},
    {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "4"}], "is_error": True},
    {"type": "tool_result", "tool_use_id": "nobody"},
    {"type": "thinking", "thinking": "hm", "signature": "S"},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "search_result", "source": "https://a.invalid", "title": "t", "content": []},
)
_ITEMS: tuple[Any, ...] = (
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}"}]},
    {"role": "user", "content": [{"type": "input_image", "image_url": "http://127.0.0.1:9/a.png"}]},
    {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
    {"role": "user", "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0="}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "hm", "annotations": []}]},
    {"role": "developer", "content": "Be brief."},
    {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{"},
    {"type": "function_call_output", "call_id": "c", "output": "4"},
    {"type": "function_call_output", "call_id": "nobody", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    {"type": "item_reference", "id": "msg_1"},
    {"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1, "y": 1}},
    {"type": "nothing"},
    "hello",
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """asked: what a request cannot be without. params: what it may have beside, of any kind."""

    asked: Callable[[Random], dict[str, Any]]
    params: Mapping[str, tuple[Any, ...]]


def _message(rng: Random) -> dict[str, Any]:
    content: Any = rng.choice(_TEXTS) if rng.random() < 0.5 else rng.choices(_BLOCKS, k=rng.choice((1, 2, 5)))
    turns = [{"role": "user", "content": content}]
    if rng.random() < 0.3:
        turns = [*turns, {"role": "assistant", "content": rng.choices(_BLOCKS, k=2)}, {"role": "user", "content": "x"}]
    return {"max_tokens": 50, "messages": turns}


def _response(rng: Random) -> dict[str, Any]:
    return {"input": rng.choice(_TEXTS) if rng.random() < 0.4 else rng.choices(_ITEMS, k=rng.choice((1, 2, 5)))}


def _completion(rng: Random) -> dict[str, Any]:
    return {"prompt": rng.choice((*_TEXTS, ["hello"], ["a", "b"], [1, 2], [[1], [2]], [], None))}


def _embedding(rng: Random) -> dict[str, Any]:
    return {"input": rng.choice((*_TEXTS, ["hello", "hello"], ["a", ""], [1, 2], [[1], [2]], [[]], [], None, {}, 5))}


_SAMPLING: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 0.7, 2, 3, "hot"),
    "top_p": (0.1, 1),
    "metadata": ({"user_id": "u"}, {"a": 5}),
    "turnout": ({"tier": "cheap"}, {"cache": False}, {"nothing": 1}),
}
_MESSAGES = Protocol(
    _message,
    {
        **_SAMPLING,
        "max_tokens": (1, 10**12, 0, -1, "x"),
        "system": ("Be brief.", [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], [], 5),
        "tools": ([{"name": "add", "input_schema": _SCHEMA}], [{"name": "add"}], [{"type": "web_search_20250305"}], []),
        "tool_choice": ({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "add"}, {"type": "none"}, "auto"),
        "thinking": ({"type": "enabled", "budget_tokens": 1024}, {"type": "disabled"}, {"type": "adaptive"}, {}),
        "stop_sequences": (["x"], [], [""], "x"),
        "top_k": (5, 0),
        "mcp_servers": ([{"type": "url", "url": "http://127.0.0.1:9"}],),
    },
)
PATHS = {
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": _MESSAGES,
    "/v1/responses": Protocol(
        _response,
        {
            **_SAMPLING,
            "instructions": ("Be brief.", [], 5),
            "max_output_tokens": (1, 16, 10**12, 0),
            "tools": ([{"type": "function", "name": "add", "parameters": _SCHEMA}], [{"type": "web_search"}], [{}], []),
            "tool_choice": ("auto", "required", {"type": "function", "name": "add"}, {"type": "file_search"}),
            "text": (
                {"format": {"type": "json_schema", "name": "n", "schema": {}}},
                {"verbosity": "low"},
                {"format": 5},
            ),
            "reasoning": ({"effort": "low"}, {"effort": "huge"}, {}),
            "previous_response_id": ("resp_none", 5, "\ud800"),
            "store": (True, False, "x"),
            "background": (True, False),
            "include": (["reasoning.encrypted_content"], ["x"], "x"),
            "truncation": ("auto", "x"),
            "conversation": ("conv_1",),
        },
    ),
    "/v1/completions": Protocol(
        _completion,
        {
            **_SAMPLING,
            "max_tokens": (1, 16, 10**12, 0),
            "n": (1, 2, 129),
            "best_of": (1, 5),
            "echo": (True, False),
            "logprobs": (1, True),
            "suffix": ("x", None),
            "stop": ("END", ["a", "b"], None),
        },
    ),
    "/v1/embeddings": Protocol(
        _embedding,
        {
            "dimensions": (4, 0, 10**9, "x"),
            "encoding_format": ("float", "base64", "x"),
            "user": ("u-1", 5),
            "input_type": ("query",),
        },
    ),
}
CHATS = tuple(path for path in PATHS if path != "/v1/embeddings")
