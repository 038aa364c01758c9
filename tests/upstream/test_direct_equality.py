"""What the direct transport sends and reads equals what `litellm.acompletion` does, field by field.

Each provider's own wire is played by the scripted provider; both transports ask it the same, one after the other. A
field that differs must be a line of DIFFERENCES, with its reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support.scripted_provider import ERROR_KINDS, Answer, Failure, Received, Reply, ScriptedServer, Tokens, Tool
from turnout.attempt_errors import AttemptError, Unsupported
from turnout.ports.runtime import Provider, ProviderCall
from turnout.settings import Settings
from turnout.upstream import litellm_import
from turnout.upstream.direct.calls import DirectCalls
from turnout.upstream.direct.deployments import NotDirectError
from turnout.upstream.direct.http import HttpSessions
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.parameters import name_parameter

# A provider's name for the matrix -> the model, and where its API begins below the server's origin.
MODELS = {
    "openai": ("openai/gpt-4o-mini", "/v1"),
    "gpt-5": ("openai/gpt-5-mini", "/v1"),
    "o-series": ("openai/o3", "/v1"),
    "perplexity": ("perplexity/sonar", "/v1"),
    "deepseek": ("deepseek/deepseek-chat", "/v1"),
    "groq": ("groq/gemma2-9b-it", "/v1"),
    "mistral": ("mistral/mistral-small-latest", "/v1"),
    "xai": ("xai/grok-3", "/v1"),
    "openrouter": ("openrouter/openai/gpt-4o-mini", "/v1"),
    "hosted_vllm": ("hosted_vllm/qwen", "/v1"),
    "together_ai": ("together_ai/Qwen/Qwen2.5-7B-Instruct-Turbo", "/v1"),
    "fireworks_ai": ("fireworks_ai/accounts/fireworks/models/qwen3-8b", "/v1"),
    "anthropic": ("anthropic/claude-sonnet-4-5", ""),
    "gemini": ("gemini/gemini-2.5-flash", "/v1beta"),
    "cohere": ("cohere/command-a-03-2025", "/v2/chat"),
}

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "sum",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"sum": {"type": "integer"}},
            "required": ["sum"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing asked and what the provider answers. but: providers whose model does not take it."""

    reply: Reply = field(default_factory=Answer)
    params: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ({"role": "user", "content": "What is 2 + 2?"},)
    but: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()


REASONERS = frozenset({"gpt-5", "o-series"})
CASES: dict[str, Case] = {
    "plain": Case(),
    "system": Case(messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"})),
    "developer": Case(messages=({"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"})),
    "sampling": Case(params={"temperature": 0.5, "max_tokens": 50, "top_p": 0.9}, but=REASONERS),
    "stop": Case(params={"stop": ["END"]}, but=REASONERS | {"xai"}),
    "seed_and_user": Case(params={"user": "u-1"}, but=frozenset({"gemini", "cohere", "mistral"})),
    "limits": Case(params={"max_completion_tokens": 64}),
    "length": Case(reply=Answer(finish="length")),
    "filtered": Case(reply=Answer(finish="content_filter")),
    "tools": Case(reply=Answer(tools=(Tool(),)), params={"tools": [ADD], "tool_choice": "auto"}),
    "no_arguments": Case(reply=Answer(tools=(Tool(arguments={}),)), params={"tools": [ADD]}),
    "parallel_tools": Case(
        reply=Answer(tools=(Tool(), Tool(name="mul", arguments={"x": "é"}, call_id="call_2"))), params={"tools": [ADD]}
    ),
    "tool_history": Case(
        params={"tools": [ADD]},
        messages=(
            {"role": "user", "content": "2 + 2?"},
            {"role": "assistant", "content": None, "tool_calls": [CALLED]},
            {"role": "tool", "tool_call_id": "call_1", "content": "4"},
        ),
    ),
    "image": Case(
        messages=(
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": PIXEL}},
                ],
            },
        ),
    ),
    "image_by_url": Case(
        messages=(
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.invalid/x.png"}}]},
        ),
        only=frozenset({"openai", "gpt-5", "xai", "anthropic"}),
    ),
    "schema": Case(reply=Answer(text='{"sum": 4}'), params={"response_format": SCHEMA}),
    "json_object": Case(
        reply=Answer(text='{"sum": 4}'),
        params={"response_format": {"type": "json_object"}},
        messages=({"role": "user", "content": "Answer in JSON."},),
        but=frozenset({"anthropic", "perplexity"}),
    ),
    "reasoning": Case(
        reply=Answer(reasoning="Two and two.", signature="c2ln", tokens=Tokens(completion=9, reasoning=5)),
        params={"reasoning_effort": "low"},
        but=frozenset(
            {"openai", "groq", "mistral", "xai", "openrouter", "together_ai", "fireworks_ai", "deepseek", "perplexity"}
        ),
    ),
    "reasoning_told": Case(reply=Answer(reasoning="Two and two.", tokens=Tokens(completion=9, reasoning=5))),
    "thought_signature": Case(
        reply=Answer(tools=(Tool(),), signature="c2ln"), params={"tools": [ADD]}, only=frozenset({"gemini"})
    ),
    "cached": Case(reply=Answer(tokens=Tokens(prompt=20, cached=12))),
    "written": Case(reply=Answer(tokens=Tokens(prompt=20, cached=5, written=7)), only=frozenset({"anthropic"})),
    "total_only": Case(
        reply=Answer(tokens=Tokens(completion=9, reasoning=5, form="total_only")),
        but=frozenset({"anthropic", "cohere"}),
    ),
    "no_usage": Case(reply=Answer(tokens=Tokens(form="none")), but=frozenset({"anthropic"})),
    "stop_after_tools": Case(reply=Answer(tools=(Tool(),), finish="stop"), params={"tools": [ADD]}),
    "unicode": Case(reply=Answer(text="Grüße, 世界 🌍"), messages=({"role": "user", "content": "é 🌍"},)),
}
# What only litellm can ask: a stream that it makes up of a whole answer, a schema that is a tool on the wire.
NOT_DIRECT = {
    ("groq", "schema", True),
    ("groq", "schema", False),
    ("groq", "json_object", True),
    ("anthropic", "schema", True),
}
MATRIX = [
    (provider, case, stream)
    for case, what in CASES.items()
    for provider in MODELS
    if provider not in what.but and (not what.only or provider in what.only)
    for stream in (False, True)
    if (provider, case, stream) not in NOT_DIRECT
]

# An error comes before any stream: one provider of each wire, and of each of litellm's handlers, asks for both.
ERRORS = [
    (provider, kind, stream)
    for provider in MODELS
    for kind in ERROR_KINDS
    for stream in ((False, True) if provider in ("openai", "groq", "anthropic", "gemini", "cohere") else (False,))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field that may differ: its path, in which providers and cases, whole or streamed, and why. by_chance: it may
    also be equal."""

    path: str
    reason: str
    providers: str = "*"
    cases: str = "*"
    streams: tuple[bool, ...] = (False, True)
    by_chance: bool = False

    def covers(self, path: str, provider: str, case: str, stream: bool) -> bool:
        return (
            fnmatchcase(path, self.path)
            and any(fnmatchcase(provider, each) for each in self.providers.split("|"))
            and any(fnmatchcase(case, each) for each in self.cases.split("|"))
            and stream in self.streams
        )


DIFFERENCES = (
    # The transport's own.
    Difference(path="sent.headers.user-agent", reason="each transport names itself"),
    Difference(path="sent.headers.x-stainless-*", reason="the openai SDK tells its own version and machine"),
    Difference(path="sent.headers.accept-encoding", reason="what each client can unpack"),
    Difference(path="sent.headers.connection", reason="HTTP/1.1 keeps a connection without being told to"),
    Difference(path="sent.headers.content-length", reason="the same JSON with and without blanks"),
    # What litellm makes up, or adds to what the provider says.
    Difference(
        path="came.model", providers="perplexity|fireworks_ai", streams=(False,),
        reason="litellm puts its own name of the provider before the model's",
    ),
    Difference(path="came.id", providers="anthropic|cohere|gemini", reason="drawn by each of litellm's classes"),
    Difference(
        path="came.created", providers="anthropic|cohere|gemini", reason="the second at which the class reads",
        by_chance=True,
    ),
    Difference(
        path="came.choices.0.*tool_calls.*.id", providers="gemini", reason="Gemini gives calls no id; each draws one",
    ),
    Difference(
        path="came.choices.0.reasoning_content", providers="openrouter", cases="reasoning_told", streams=(True,),
        reason="litellm loses the reasoning of a stream under this name",
    ),
    Difference(
        path="came.choices.0.finish_reason", providers="groq|fireworks_ai", cases="stop_after_tools", streams=(False,),
        reason="litellm leaves `stop` beside the tool calls of these two, in whole answers alone",
    ),
    # Cohere's events have names on the wire, at which litellm's reader of them stumbles.
    Difference(
        path="came.*", providers="cohere", streams=(True,), reason="litellm cannot read Cohere's streams at all",
    ),
    Difference(path="came.*", providers="cohere|gemini", cases="no_usage", reason="litellm's class needs the usage"),
    # Errors: classed by status and body here, by litellm's words for them there.
    Difference(
        path="came.retry_after_s", providers="cohere", cases="error:rate_limited",
        reason="litellm drops the headers of Cohere's errors",
    ),
    Difference(
        path="came.status", cases="error:overloaded|error:wrong_key|error:too_large",
        reason="litellm rewrites the provider's status",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all: both transports keep their connections by loop."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@dataclass
class Transports:
    server: ScriptedServer
    direct: DirectCalls
    wrapped: LiteLLMProvider
    loop: asyncio.AbstractEventLoop


@pytest.fixture(scope="module")
def transports(server: ScriptedServer, loop: asyncio.AbstractEventLoop) -> Iterator[Transports]:
    names = [model for model, _ in MODELS.values()]
    models = {model: {"params": {"api_base": server.origin + base}} for model, base in MODELS.values()}
    settings = Settings.of(
        {"tiers": {"cheap": {"models": names}, "expensive": {"models": ["openai/dear"]}}, "models": models}
    )
    wrapped = LiteLLMProvider(settings, {})
    loop.run_until_complete(wrapped.load())
    sessions = HttpSessions(limit=10, tls=lambda: True, environ={})
    direct = DirectCalls(litellm_import.load_litellm(), wrapped.arguments, sessions, max_answer_bytes=1_000_000)
    assert direct.reasons == {"openai/dear": "no key is set; litellm may find one"}, direct.reasons
    yield Transports(server, direct, wrapped, loop)
    loop.run_until_complete(sessions.close())
    loop.run_until_complete(wrapped.close())


@dataclass
class Seen:
    """What one transport sent, and what it made of the answer."""

    sent: dict[str, Any]
    came: Any


def request_of(received: Received) -> dict[str, Any]:
    return {
        "path": received.path,
        "query": dict(received.query),
        "headers": dict(received.headers),
        "body": received.body,
    }


async def seen(server: ScriptedServer, call: ProviderCall, provider: Provider, stream: bool) -> Seen:
    server.received.clear()
    try:
        if stream:
            chunks = []
            async with aclosing(provider.stream(call)) as streaming:
                async for chunk in streaming:
                    chunks.append(chunk)
            came: Any = assembled(chunks)
        else:
            came = await provider.complete(call)
    except AttemptError as error:
        if isinstance(error, Unsupported):
            # As an attempt does.
            name_parameter(error, call.params)
        came = {"error": type(error).__name__, "status": error.status, "retry_after_s": error.retry_after_s}
        for name in ("code", "param"):
            came[name] = getattr(error, name, None)
    assert len(server.received) <= 1
    return Seen(request_of(server.received[0]) if server.received else {}, came)


class Direct:
    """The direct calls as a Provider: what they cannot do is a failure here."""

    def __init__(self, calls: DirectCalls) -> None:
        self._calls = calls

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        return await self._calls.complete(call, self._calls.prepare(call, stream=False))

    async def stream(self, call: ProviderCall) -> Any:
        async with aclosing(self._calls.stream(call, self._calls.prepare(call, stream=True))) as chunks:
            async for chunk in chunks:
                yield chunk


def both(transports: Transports, provider: str, case: Case, stream: bool) -> tuple[Seen, Seen]:
    """What the direct transport does, and what litellm's does."""
    call = ProviderCall(model=MODELS[provider][0], messages=case.messages, params=case.params)
    transports.server.script = lambda _: case.reply

    async def scenario() -> tuple[Seen, Seen]:
        direct: Any = Direct(transports.direct)
        return (
            await seen(transports.server, call, direct, stream),
            await seen(transports.server, call, transports.wrapped, stream),
        )

    return transports.loop.run_until_complete(scenario())


def assembled(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """A stream's chunks as what a reader has in the end: per choice its parts, how often a role and a finish came."""
    choices: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {"choices": choices}
    for chunk in chunks:
        for name in ("id", "model", "object", "usage"):
            if chunk.get(name) is not None:
                whole[name] = chunk[name]
        for choice in chunk["choices"]:
            mine = choices.setdefault(choice["index"], {"tool_calls": {}, "finishes": []})
            if choice.get("finish_reason"):
                mine["finishes"].append(choice["finish_reason"])
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    for call in value:
                        _add_call(mine["tool_calls"].setdefault(call["index"], {}), call)
                elif isinstance(value, str) and name != "role":
                    mine[name] = mine.get(name, "") + value
                else:
                    mine[name] = value
    return whole


def _add_call(call: dict[str, Any], delta: Mapping[str, Any]) -> None:
    function = delta.get("function") or {}
    for name, value in {**delta, "name": function.get("name")}.items():
        if name not in ("function", "index") and value is not None:
            call.setdefault(name, value)
    call["arguments"] = call.get("arguments", "") + (function.get("arguments") or "")


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf by its path. What is None or empty is the same as what is absent."""
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return {} if value is None or value == "" else {path: value}
    return {
        key: leaf for name, inner in items for key, leaf in flat(inner, f"{path}.{name}" if path else str(name)).items()
    }


def differing(direct: Seen, wrapped: Seen) -> dict[str, tuple[Any, Any]]:
    """The fields that differ: path -> (direct, litellm)."""
    ours = flat({"sent": direct.sent, "came": direct.came})
    theirs = flat({"sent": wrapped.sent, "came": wrapped.came})
    paths = sorted(ours.keys() | theirs.keys())
    return {path: (ours.get(path), theirs.get(path)) for path in paths if ours.get(path) != theirs.get(path)}


def unexplained(direct: Seen, wrapped: Seen, provider: str, case: str, stream: bool) -> dict[str, tuple[Any, Any]]:
    """The fields that differ and are no line of the table."""
    return {
        path: values
        for path, values in differing(direct, wrapped).items()
        if not any(line.covers(path, provider, case, stream) for line in DIFFERENCES)
    }


def error_case(kind: Any) -> Case:
    return Case(reply=Failure(kind=kind, retry_after=7.0 if kind == "rate_limited" else None))


@pytest.mark.parametrize(("provider", "case", "stream"), MATRIX)
def test_the_same_leaves_and_the_same_comes_back(
    transports: Transports, provider: str, case: str, stream: bool
) -> None:
    """URL, headers, body and answer, whole and streamed."""
    direct, wrapped = both(transports, provider, CASES[case], stream)
    # What a model cannot take, its class refuses on both ways before anything is sent.
    assert direct.sent or direct.came["error"] == "Unsupported"
    assert unexplained(direct, wrapped, provider, case, stream) == {}


@pytest.mark.parametrize(("provider", "kind", "stream"), ERRORS)
def test_each_providers_own_errors_are_the_same_kind_of_failure(
    transports: Transports, provider: str, kind: Any, stream: bool
) -> None:
    """By status and body, before any text is reworded."""
    direct, wrapped = both(transports, provider, error_case(kind), stream)
    assert unexplained(direct, wrapped, provider, f"error:{kind}", stream) == {}


@pytest.mark.parametrize(
    "line",
    [line for line in DIFFERENCES if not line.by_chance],
    ids=lambda line: f"{line.path}, {line.providers}, {line.cases}",
)
def test_no_difference_is_allowed_that_is_none(transports: Transports, line: Difference) -> None:
    """A line of the table that no case needs any more is to be taken out."""
    cells = [(provider, case, stream, CASES[case]) for provider, case, stream in MATRIX]
    cells += [(provider, f"error:{kind}", stream, error_case(kind)) for provider, kind, stream in ERRORS]
    for provider, name, stream, case in cells:
        if any(fnmatchcase(provider, each) for each in line.providers.split("|")) and stream in line.streams:
            if not any(fnmatchcase(name, each) for each in line.cases.split("|")):
                continue
            fields = differing(*both(transports, provider, case, stream))
            if any(line.covers(path, provider, name, stream) for path in fields):
                return
    raise AssertionError(f"nothing differs at {line.path}")


def test_coheres_streams_are_read(transports: Transports) -> None:
    """What litellm cannot read has no equal to be compared to: the text, a tool call, the finish and the usage."""
    tokens = Tokens(prompt=9, completion=5)
    text = both(transports, "cohere", Case(reply=Answer(text="It is four.", tokens=tokens)), True)[0].came
    assert (text["choices"][0]["content"], text["choices"][0]["finishes"]) == ("It is four.", ["stop"])
    assert (text["usage"]["prompt_tokens"], text["usage"]["completion_tokens"]) == (9, 5)
    asked = Case(reply=Answer(tools=(Tool(),), tokens=tokens), params={"tools": [ADD]})
    choice = both(transports, "cohere", asked, True)[0].came["choices"][0]
    assert [call["name"] for call in choice["tool_calls"].values()] == ["add"]
    assert json.loads(choice["tool_calls"][0]["arguments"]) == {"a": 2, "b": 2}
    assert choice["finishes"] == ["tool_calls"]


@pytest.mark.parametrize(("provider", "case", "stream"), sorted(NOT_DIRECT))
def test_what_only_litellm_can_ask_is_left_to_it(
    transports: Transports, provider: str, case: str, stream: bool
) -> None:
    """Before anything is sent, with a reason to tell."""
    call = ProviderCall(model=MODELS[provider][0], messages=CASES[case].messages, params=CASES[case].params)
    with pytest.raises(NotDirectError):
        transports.direct.prepare(call, stream=stream)
