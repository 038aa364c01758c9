"""Bodies that hostile callers send, by name: each takes a number, so that no two are alike, and gives bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

MB = 1 << 20
Body = Callable[[int], bytes]
_HEAD = '{{"model": "openai/small", "messages": [{{"role": "user", "content": "label:hostile-{}"}}], '
_PIXEL = "data:image/png;base64,"


def _with(number: int, tail: bytes) -> bytes:
    """An ordinary question, and this as the rest of the object."""
    return _HEAD.format(number).encode() + tail + b"}"


def _chat(number: int, text: str = "", **params: Any) -> bytes:
    messages = [{"role": "user", "content": f"label:hostile-{number} {text}"}]
    return json.dumps({"model": "openai/small", "messages": messages, **params}).encode()


def _parts(number: int, *parts: dict[str, Any], model: str = "openai/small", **params: Any) -> bytes:
    content = [{"type": "text", "text": f"label:hostile-{number}"}, *parts]
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **params}).encode()


def _text(unit: str, times: int) -> Body:
    """A prompt of this, so often, not escaped: what json.dumps would write is six bytes a character."""
    return lambda number: (
        b'{"model": "openai/small", "messages": [{"role": "user", "content": "label:hostile-%d ' % number
        + _repeated(unit, times)
        + b'"}]}'
    )


@cache
def _repeated(unit: str, times: int) -> bytes:
    return (unit * times).encode()


@cache
def _numbers() -> bytes:
    return b",".join([b"1.2345678901234567e-300"] * (9 * MB // 24))


@cache
def _small_messages() -> bytes:
    return b",".join([b'{"role":"user","content":"x"}'] * (9 * MB // 30))


_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{not json"}}
_HISTORY = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
]
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}}
_TOOL = {"type": "function", "function": {"name": "f", "parameters": _SCHEMA}}

# Large, deep and odd: what the loop has to do for a body.
LARGE: dict[str, Body] = {
    "9 MB of text": _text("ab ", 3 * MB),
    "9 MB of numbers, unknown": lambda n: _with(n, b'"zz": [' + _numbers() + b"]"),
    "9 MB of numbers in tools": lambda n: _with(
        n, b'"tools": [{"type": "function", "function": {"name": "f", "parameters": {"enum": [' + _numbers() + b"]}}}]"
    ),
    "9 MB of logit_bias": lambda n: _with(
        n, b'"logit_bias": {' + b",".join(b'"%d": 1e-300' % i for i in range(9 * MB // 24)) + b"}"
    ),
    "9 MB of empty lists": lambda n: _with(n, b'"zz": [' + _repeated("[],", 3 * MB) + b"0]"),
    "9 MB of nested lists": lambda n: _with(n, b'"zz": [' + _repeated("[[[]]],", 9 * MB // 7) + b"0]"),
    "300,000 messages": lambda n: b'{"model": "openai/small", "messages": [%s]}' % _small_messages(),
    "9 MB of blanks": lambda n: b" " * (9 * MB) + _chat(n),
    "9 MB of escapes": _text("\\u0041", 3 * MB // 2),
    "one key 500,000 times": lambda n: _with(n, b'"k": [0], ' * 500_000 + b'"z": 0'),
    "nested 100,000 deep": lambda n: _with(n, b'"zz": ' + b"[" * 100_000 + b"]" * 100_000),
    "a million digits": lambda n: _with(n, b'"max_tokens": ' + b"9" * MB),
    "unordered marks": _text("\u0301\u0316", 200_000),
    "ligatures that grow": _text("\ufdfa", 300_000),
    "no Unicode": lambda n: _chat(n).replace(b"label", b"\xff\xfe\xed\xa0\x80 label"),
    "an 8 MB picture": lambda n: _parts(
        n, {"type": "image_url", "image_url": {"url": _PIXEL + _repeated("QUFB", 2 * MB).decode()}}
    ),
    "10,000 pictures": lambda n: _parts(n, *[{"type": "image_url", "image_url": {"url": _PIXEL + "QUFB"}}] * 10_000),
    "100,000 stops": lambda n: _chat(n, stop=["x"] * 100_000),
}

# What raises on the way to a provider, walks around a budget, or is charged for nothing.
SLY: dict[str, Body] = {
    "a picture without address": lambda n: _parts(n, {"type": "image_url"}),
    "a tool without name": lambda n: _parts(n, model="anthropic/large", tools=[{"type": "function", "function": {}}]),
    "arguments no JSON": lambda n: json.dumps(
        {"model": "gemini/large", "messages": [*_HISTORY, {"role": "user", "content": f"label:hostile-{n}"}]}
    ).encode(),
    "a schema in a circle": lambda n: _parts(n, model="gemini/large", tools=[_TOOL]),
    "a slow picture": lambda n: _parts(
        n, {"type": "image_url", "image_url": {"url": f"http://10.255.255.1/{n}.png"}}, model="anthropic/large"
    ),
    "a PDF by address": lambda n: _parts(
        n, {"type": "document", "source": {"type": "url", "url": "https://a.invalid/a.pdf"}}, model="anthropic/large"
    ),
    "generationConfig": lambda n: _parts(
        n, model="gemini/large", generationConfig={"maxOutputTokens": 65536, "candidateCount": 8}
    ),
    "litellm's own arguments": lambda n: _chat(
        n, api_base="http://127.0.0.1:9", api_key="x", mock_response="Exception: x", custom_llm_provider="x"
    ),
    "a million choices": lambda n: _chat(n, n=1_000_000),
    "two choices streamed": lambda n: _chat(n, n=2, stream=True),
    "max_tokens of a billion": lambda n: _chat(n, max_tokens=10**9),
}

# What the provider answers because of the request.
PROVOKED: dict[str, Body] = {
    "refused as flagged": lambda n: _chat(n, "play:flagged"),
    "refused as invalid": lambda n: _chat(n, "play:invalid"),
    "too many tokens a minute": lambda n: _chat(n, "play:too_many_tokens"),
    "an absurd usage": lambda n: _chat(n, "play:usage"),
    "answers of 4.5 MB": lambda n: _chat(n, "play:large"),
    "an endless stream": lambda n: _chat(n, "play:endless", stream=True),
    "a stream of comments": lambda n: _chat(n, "play:comments", stream=True),
}
