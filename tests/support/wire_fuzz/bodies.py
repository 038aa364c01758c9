"""What a caller sends: a chat request of the grammar, with up to four things wrong with it, and headers of any kind."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.wire_fuzz import other_protocols
from tests.support.wire_fuzz.values import damage, encode, mutate

WIRES = ("openai", "anthropic", "gemini", "cohere")
KEYS = (
    "messages", "model", "stream", "temperature", "tools", "tool_choice", "n", "stop", "max_tokens", "seed", "user",
    "max_completion_tokens", "response_format", "logit_bias", "stream_options", "metadata", "prediction", "audio",
    "modalities", "store", "service_tier", "reasoning_effort", "verbosity", "thinking", "top_k", "functions",
    "function_call", "generationConfig", "options", "models", "api_base", "api_key", "mock_response", "extra_body",
    "extra_headers", "timeout", "num_retries", "fallbacks", "custom_llm_provider", "callbacks", "turnout", "cache",
    "role", "content", "type", "image_url", "text", "name", "arguments", "function", "id", "tool_calls",
    "tool_call_id", "input_audio", "file", "document", "video_url", "cachedContent", "contents", "parallel_tool_calls",
    "safety_identifier", "prompt_cache_key", "logprobs", "top_logprobs", "web_search_options", "x", "",
)  # fmt: skip
_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_TOOL = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
_PARTS: tuple[dict[str, Any], ...] = (
    {"type": "text", "text": "what is this"},
    {"type": "image_url", "image_url": {"url": _PIXEL}},
    {"type": "image_url"},
    {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}},
    {"type": "document", "source": {"type": "url", "url": "https://a.invalid/a.pdf"}},
    {"type": "refusal", "refusal": "no"},
)
_PARAMS: dict[str, tuple[Any, ...]] = {
    "temperature": (0, 0.7, 2, 3, "hot"),
    "top_p": (0.1, 1),
    "n": (1, 2, 129),
    "stop": ("END", ["a", "b"], None),
    "max_tokens": (1, 50, 10**9, 0, -1),
    "max_completion_tokens": (16, 10**12),
    "seed": (1, 2**40),
    "user": ("u-1", 5),
    "tools": ([_TOOL], [], [{"type": "function", "function": {}}], [{"type": "custom", "custom": {"name": "x"}}]),
    "tool_choice": ("auto", "none", "required", {"type": "function", "function": {"name": "add"}}),
    "response_format": ({"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}),
    "stream_options": ({"include_usage": True}, {}, None),
    "logit_bias": ({"50256": -100}, {}),
    "metadata": ({"a": "b"},),
    "reasoning_effort": ("low", "none"),
    "thinking": ({"type": "enabled", "budget_tokens": 1024},),
    "generationConfig": ({"maxOutputTokens": 65536},),
    "turnout": ({"tier": "cheap"}, {"cache": False}, {"deadline_ms": 5000}, {"nothing": 1}),
}
_HEADERS: tuple[tuple[str, str], ...] = (
    ("x-turnout-deadline-ms", "20000"),
    ("x-turnout-deadline-ms", "1e400"),
    ("x-turnout-deadline-ms", "-5"),
    ("x-turnout-deadline-ms", "²"),
    ("cache-control", "no-store"),
    ("cache-control", "max-age=,,=,no-cache=\"x"),
    ("content-type", "text/plain; charset=utf-16"),
    ("content-type", ""),
    ("content-encoding", "gzip"),
    ("x-user-id", "zoë\u2028"),
    ("x-user-id", "a" * 4000),
    ("x-session-id", "\x7f"),
    ("prefer", "respond-async, wait=999999999999"),
    ("idempotency-key", "x" * 300),
    ("x-request-id", "forged: yes"),
    ("accept", "text/event-stream;q=nan"),
    ("traceparent", "00-zz-zz-zz"),
    ("baggage", "a=" + "b" * 9000),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sends to one of our paths."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    path: str = "/v1/chat/completions"


def valid(rng: Random, model: str, text: str) -> dict[str, Any]:
    """A request that any of these providers may take; text: in the last message."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}] if rng.random() < 0.3 else []
    if rng.random() < 0.2:
        messages += [
            {"role": "user", "content": "2 + 2?"},
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "4"},
        ]
    body = {"model": model, "messages": [*messages, {"role": "user", "content": text}]}
    if rng.random() < 0.5:
        body["stream"] = True
    return body


def hostile(rng: Random, model: str) -> Request:
    """A request with parts and parameters of any kind, and none to four things wrong with it; every other one is of
    another protocol than chat completions."""
    # Of its own chance: the cases before it stay what they were.
    more = Random(str(rng.getstate()[1][:4]))
    if more.random() < 0.5:
        return elsewhere(more, model)
    body = valid(rng, model, rng.choice(("hello", "prove that 2 + 2 = 4", "")))
    if rng.random() < 0.3:
        body["messages"][-1]["content"] = rng.choices(_PARTS, k=rng.choice((1, 2, 5)))
    for name in rng.sample(list(_PARAMS), rng.choice((0, 0, 1, 3))):
        body[name] = rng.choice(_PARAMS[name])
    return _spoilt(body, rng, "/v1/chat/completions", KEYS)


def elsewhere(rng: Random, model: str) -> Request:
    """As `hostile`, of one of our other protocols."""
    path = rng.choice(list(other_protocols.PATHS) if model.startswith("openai/") else list(other_protocols.CHATS))
    own = other_protocols.PATHS[path]
    body: dict[str, Any] = {"model": model, **own.asked(rng)}
    if path != "/v1/embeddings" and rng.random() < 0.5:
        body["stream"] = True
    for name in rng.sample(list(own.params), rng.choice((0, 0, 1, 3))):
        body[name] = rng.choice(own.params[name])
    return _spoilt(body, rng, path, (*KEYS, *other_protocols.KEYS))


def _spoilt(tree: Any, rng: Random, path: str, keys: tuple[str, ...]) -> Request:
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        tree = mutate(tree, rng, keys)
    content = encode(tree, rng)
    if rng.random() < 0.1:
        content = damage(content, rng)
    return Request(content, tuple(rng.sample(_HEADERS, rng.choice((0, 0, 0, 1, 2)))), path)


def plain(rng: Random, model: str, label: str) -> Request:
    """A request with nothing wrong with it, of any of our protocols, whose text tells the provider which reply to
    play."""
    body = valid(rng, model, label)
    path = Random(label).choice((*["chat/completions"] * 3, "completions", "messages", "responses"))
    asked = {
        "chat/completions": {},
        "completions": {"prompt": label},
        "messages": {"max_tokens": 50, "messages": [{"role": "user", "content": label}]},
        "responses": {"input": label},
    }[path]
    if asked:
        body = {**{name: body[name] for name in ("model", "stream") if name in body}, **asked}
    return Request(encode(body, rng), path=f"/v1/{path}")
