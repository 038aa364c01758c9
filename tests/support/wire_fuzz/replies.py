"""What a provider sends: a whole answer or a stream of its own wire, with up to three things wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.support.scripted_provider import (
    ERROR_KINDS,
    Answer,
    Received,
    Tokens,
    Tool,
    anthropic_wire,
    cohere_wire,
    gemini_wire,
    openai_wire,
)
from tests.support.wire_fuzz.values import damage, encode, mutate

WIRES: dict[str, Any] = {
    "openai": openai_wire,
    "anthropic": anthropic_wire,
    "gemini": gemini_wire,
    "cohere": cohere_wire,
}
KEYS = (
    "choices", "delta", "message", "content", "role", "finish_reason", "index", "usage", "tool_calls", "function",
    "arguments", "name", "id", "type", "error", "candidates", "parts", "finishReason", "usageMetadata", "text",
    "completion_tokens", "prompt_tokens", "total_tokens", "stop_reason", "content_block", "input", "output_tokens",
    "reasoning_content", "refusal", "audio", "logprobs", "annotations", "images", "model", "object", "x", "",
)  # fmt: skip
_FINISHES = ("", "stop", "length", "tool_calls", "content_filter", "error", "network_error", "SAFETY", "x")
_ODD_FINISHES = ("MALFORMED_FUNCTION_CALL", "OTHER", "server_error", "timeout", "TIMEOUT", "model_length")
_CALL = {"id": "a", "index": 0, "type": "function", "function": {"name": "t0", "arguments": '{"a":'}}
# Fields of a message on OpenAI's wire as some server sends them, or one might.
_ODD_FIELDS: tuple[dict[str, Any], ...] = (
    {"tool_calls": [{**_CALL, "function": {"name": "t0", "arguments": {"a": 1}}}]},
    {"tool_calls": [_CALL, {**_CALL, "id": "b"}, {**_CALL, "function": {"arguments": "1}"}}]},
    {"tool_calls": [{**_CALL, "id": 5, "index": "0", "function": None}]},
    {"tool_calls": [{"index": 0, "custom": {"name": "t", "input": {"a": 1}}}]},
    {"function_call": {"name": "t0", "arguments": [1]}},
    {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "S"}]},
    {"thinking_blocks": [None, {"type": 1, "thinking": 5}]},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    {"annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}, {"type": "x", "x": 1}, 5]},
    {"response_items": [{"type": "message", "content": [{"type": "output_text"}]}]},
    {"refusal": ["no"], "mood": "a"},
    {"audio": {"id": "a", "data": "QUJD", "transcript": 5}},
)
_ODD_USAGES: tuple[Any, ...] = (
    {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    {"prompt_tokens": "12", "completion_tokens": "3"},
    {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 2},
    {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "reasoning_tokens": 90, "citation_tokens": 5},
    {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": [1], "completion_tokens_details": "x"},
    {"prompt_tokens": 7, "completion_tokens": {}, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": "x"}},
    [],
    "x",
)
_TOKENS = (Tokens(), Tokens(form="none"), Tokens(form="total_only", reasoning=3), Tokens(completion=10**17))
_STATUSES = (200, 200, 200, 200, 200, 200, 201, 204, 302, 400, 401, 404, 418, 429, 500, 503, 529, 599)
_RETRY = ("7", "inf", "-1", "9" * 400, "soon", "1e308", "Fri, 31 Dec 9999 23:59:59 GMT")


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply: its pieces as they are written. ends: "well", "cut" (before its end) or "hangs"."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]
    ends: str = "well"


def good(received: Received) -> Sent:
    """The plain answer of this request's wire."""
    if received.path.endswith("/embeddings"):
        given = received.body.get("input")
        vectors = [[0.5, 0.25]] * (len(given) if isinstance(given, list) and not _are_tokens(given) else 1)
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        content = json.dumps({"object": "list", "model": "m", "data": data, "usage": usage}).encode()
        return Sent(200, (("content-type", "application/json"),), (content,))
    wire = _wire(received)
    answer = Answer()
    if wire.streams(received):
        return Sent(
            200,
            (("content-type", "text/event-stream"),),
            tuple(part for kind in wire.frames(answer, received) for part in kind),
        )
    return Sent(200, (("content-type", "application/json"),), (json.dumps(wire.whole(answer, received)).encode(),))


def fuzzed(rng: Random, received: Received) -> Sent:
    """A reply of this request's wire, perhaps with things wrong with it."""
    # Of its own chance: the cases before it stay what they were.
    more = Random(str(rng.getstate()[1][:4]))
    wire, answer = _wire(received), _answer(rng)
    if more.random() < 0.3:
        answer = replace(answer, extra=more.choice(_ODD_FIELDS))
    if more.random() < 0.2:
        answer = replace(answer, finish=more.choice(_ODD_FINISHES))
    usage = more.choice(_ODD_USAGES) if wire is openai_wire and more.random() < 0.3 else None
    status = rng.choice(_STATUSES)
    if status >= 400 and rng.random() < 0.7:
        return _failure(rng, wire, status)
    if wire.streams(received):
        late = () if usage is None else (openai_wire.event({"choices": [], "usage": usage}),)
        pieces, kind = _stream(rng, wire, answer, received, late), "text/event-stream"
    else:
        tree: Any = wire.whole(answer, received) if usage is None else {**wire.whole(answer, received), "usage": usage}
        for _ in range(rng.choice((0, 0, 1, 1, 3))):
            tree = mutate(tree, rng, KEYS)
        pieces, kind = (_perhaps_damaged(encode(tree, rng), rng),), "application/json"
    if rng.random() < 0.05:
        kind = rng.choice(("text/html", "application/json", "text/event-stream", "", "text/plain; charset=utf-16"))
    if rng.random() < 0.3:
        pieces = _split(b"".join(pieces), rng)
    ends = rng.choices(("well", "cut", "hangs"), (0.9, 0.095, 0.005))[0]
    return Sent(status, (("content-type", kind), *_headers(rng)), pieces, ends)


def _are_tokens(given: list[Any]) -> bool:
    return bool(given) and all(isinstance(each, int) for each in given)


def _wire(received: Received) -> Any:
    return next((wire for wire in WIRES.values() if wire.serves(received.path)), openai_wire)


def _answer(rng: Random) -> Answer:
    tools = tuple(Tool(name=f"t{index}", call_id=f"call_{index}") for index in range(rng.choice((0, 0, 0, 1, 3))))
    return Answer(
        text=rng.choice(("It is four.", "", "a " * 200, "ü\u2028\u0085🏳️‍🌈 x", "{}")),
        reasoning=rng.choice(("", "", "Two and two.")),
        tools=tools,
        finish=rng.choice(_FINISHES),
        tokens=rng.choice(_TOKENS),
        fault=rng.choice(("", "", "", "", "", "empty")),
    )  # fmt: skip


def _failure(rng: Random, wire: Any, status: int) -> Sent:
    error = wire.ERRORS[rng.choice(ERROR_KINDS)]
    tree: Any = error.body
    if rng.random() < 0.5:
        tree = mutate(tree, rng, ("error", "message", "type", "code", "param", "details", ""))
    content = _perhaps_damaged(encode(tree, rng), rng)
    return Sent(rng.choice((status, error.status)), (("content-type", "application/json"), *_headers(rng)), (content,))


def _headers(rng: Random) -> tuple[tuple[str, str], ...]:
    return (("retry-after", rng.choice(_RETRY)),) if rng.random() < 0.05 else ()


def _perhaps_damaged(content: bytes, rng: Random) -> bytes:
    return damage(content, rng) if rng.random() < 0.1 else content


def _stream(rng: Random, wire: Any, answer: Answer, received: Received, late: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The events of a stream, some of them changed, doubled, gone or out of order. late: before the last mark."""
    words, finish, done = wire.frames(answer, received)
    events = [*words, *finish, *late, *done]
    for _ in range(rng.choice((0, 0, 1, 1, 3))):
        if not events:
            break
        at = rng.randrange(len(events))
        match rng.randrange(8):
            case 0 | 1 | 2:
                events[at] = _changed(events[at], rng)
            case 3:
                del events[at]
            case 4:
                events.insert(at, events[rng.randrange(len(events))])
            case 5:
                events.insert(
                    at,
                    rng.choice(
                        (
                            b": ping\n\n",
                            b"\n\n",
                            b"event: x\n\n",
                            b"data:\n\n",
                            b"data: [DONE]\n\n",
                            b"id: 1\nretry: 0\n\n",
                            wire.error_event(wire.ERRORS["overloaded"]),
                        )
                    ),
                )
            case 6:
                events[at] = damage(events[at], rng)
            case _:
                events[at] = events[at].replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n")))
    return tuple(events)


def _changed(event: bytes, rng: Random) -> bytes:
    """The event with its JSON changed."""
    opening, mark, data = event.partition(b"data: ")
    try:
        tree = json.loads(data)
    except ValueError:
        return event
    return opening + mark + encode(mutate(tree, rng, KEYS), rng) + b"\n\n"


def _split(content: bytes, rng: Random) -> tuple[bytes, ...]:
    """The same bytes, cut anywhere."""
    cuts = sorted(rng.randrange(len(content) + 1) for _ in range(rng.choice((1, 3, 12))))
    return tuple(content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True))
