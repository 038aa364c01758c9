"""A caller's parameters as each model takes them: mapped, left out where that changes nothing, else refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.scripted_provider import ScriptedServer
from tests.upstream.test_chain import FIRST, SECOND, World
from turnout import Turnout
from turnout.attempt_errors import ProviderFailed, Unsupported
from turnout.errors import InvalidRequest, UpstreamUnavailable
from turnout.upstream.parameters import Taken, fit, name_parameter

ANTHROPIC = Taken(provider="anthropic", names=frozenset({"temperature", "tools", "max_tokens"}))
OPENAI = Taken(provider="openai", names=frozenset({"temperature", "n", "max_tokens"}), own_server=True)


def test_what_a_model_takes_is_sent_as_it_is() -> None:
    """The same object: nothing is copied where nothing is to do."""
    params = {"temperature": 0, "max_tokens": 5}
    assert fit(ANTHROPIC, params) == (params, ())
    assert fit(ANTHROPIC, params)[0] is params


def test_what_changes_no_answer_is_left_out_and_named() -> None:
    """OpenAI's accounts and caches, and values that say what every model does anyway."""
    accounts = {"store": True, "metadata": {"a": "b"}, "prompt_cache_key": "k", "safety_identifier": "s"}
    params = {"n": 1, "logprobs": False, "user": "u", "prediction": {}, "extra_body": accounts}
    assert fit(ANTHROPIC, params) == ({}, tuple(sorted([*accounts, "n", "logprobs", "user", "prediction"])))


def test_a_providers_own_parameters_stand_where_its_class_reads_them() -> None:
    """As arguments for Anthropic, in the body for who speaks OpenAI's wire."""
    own = {"extra_body": {"top_k": 5, "thinking": {"type": "enabled"}}}
    assert fit(ANTHROPIC, own) == ({"top_k": 5, "thinking": {"type": "enabled"}}, ())
    assert fit(OPENAI, own) == (own, ())
    assert fit(OPENAI, {"user": "u", "extra_body": {"store": True}}) == (
        {"extra_body": {"user": "u", "store": True}},
        (),
    )


@pytest.mark.parametrize("params", [{"seed": 1}, {"n": 2}, {"logprobs": True}, {"extra_body": {"models": ["x"]}}])
def test_what_would_change_the_answer_is_refused_by_its_name(params: dict[str, Any]) -> None:
    """Left out, it would be another answer than was asked for."""
    with pytest.raises(Unsupported) as refused:
        fit(ANTHROPIC, params)
    assert refused.value.param in {*params, "models"} - {"extra_body"}


def test_where_nobody_knows_what_a_model_takes_everything_is_sent() -> None:
    """Also where the app lets litellm leave out what is too much (`drop_params`)."""
    assert fit(Taken(provider="new", names=None), {"seed": 1, "user": "u"}) == ({"seed": 1, "user": "u"}, ())


@pytest.mark.parametrize(
    ("text", "params", "param"),
    [
        ("gpt-5 models don't support temperature=0.5.", {"n": 1, "temperature": 0.5}, "temperature"),
        ("Model x does not support parameter presencePenalty.", {"presence_penalty": 1}, "presence_penalty"),
        ('Unknown name "min_p": Cannot find field.', {"extra_body": {"min_p": 0.1}}, "min_p"),
        ("no", {"n": 1}, None),
    ],
)
def test_a_refusal_names_its_parameter(text: str, params: dict[str, Any], param: str | None) -> None:
    """Of those that were sent, as a word of its own, however it is written."""
    refused = Unsupported(text)
    name_parameter(refused, params)
    assert refused.param == param


def test_a_refusal_of_very_many_or_long_names_is_told_at_once() -> None:
    """None of them is a parameter's: nobody looks for each."""
    extra = {"a_" * 100_000: 1} | {f"p{number}": 1 for number in range(40_000)}
    since = time.process_time()
    error = Unsupported("it takes no top_k")
    name_parameter(error, {"top_k": 1, "extra_body": extra})
    assert error.param == "top_k"
    assert time.process_time() - since < 1.0


@pytest.mark.parametrize("name", ["min_p", "repetition_penalty", "top_k"])
def test_a_way_to_draw_goes_to_those_who_take_it(name: str) -> None:
    """Who refuses it, or leaves it out silently, is not asked; a server of the app's own may be any."""
    params = {"extra_body": {name: 2}}
    for provider in ("mistral", "openai", "groq", "deepseek"):
        with pytest.raises(Unsupported) as refused:
            fit(Taken(provider=provider, names=frozenset()), params)
        assert refused.value.param == name
    for taken in (
        Taken(provider="openai", names=frozenset(), own_server=True),
        Taken(provider="new", names=frozenset()),
    ):
        assert fit(taken, params) == (params, ())


def test_a_way_to_draw_that_changes_nothing_is_left_out() -> None:
    """As some clients send it to everybody."""
    neutral = {"extra_body": {"min_p": 0, "repetition_penalty": 1.0, "top_k": -1}}
    assert fit(Taken(provider="mistral", names=frozenset()), neutral) == ({}, ("min_p", "repetition_penalty", "top_k"))
    asked = {"reasoning_effort": "none", "verbosity": "medium"}
    assert fit(ANTHROPIC, asked) == ({}, ("reasoning_effort", "verbosity"))


def test_a_server_named_in_the_environment_may_take_all(
    provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that the settings name; OpenAI itself is not asked for what it refuses."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.origin + "/v1")

    async def scenario() -> None:
        tiers = {"cheap": {"models": ["openai/mine"]}, "expensive": {"models": ["openai/dear"]}}
        async with Turnout({"tiers": tiers, "routing": {"threshold": 0.99}}) as turnout:
            await turnout.complete("q", min_p=0.1)

    asyncio.run(scenario())
    assert provider.received[-1].body["min_p"] == 0.1


def test_what_gemini_takes_of_them_is_sent() -> None:
    """As its class reads it."""
    gemini = Taken(provider="gemini", names=frozenset())
    assert fit(gemini, {"extra_body": {"top_k": 5}}) == ({"top_k": 5}, ())
    with pytest.raises(Unsupported):
        fit(gemini, {"extra_body": {"min_p": 0.1}})


def test_a_parameter_that_no_model_takes_is_the_callers_and_one_that_some_take_goes_to_those() -> None:
    """400 with `param`, never a 503 with Retry-After; a real failure beside it is an outage."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1})
        refused = Unsupported("this model does not take seed", param="seed")
        w.provider.say(FIRST, refused)
        w.provider.say(SECOND, refused)
        with pytest.raises(InvalidRequest) as error:
            await w.complete(w.order(FIRST, SECOND))
        assert (error.value.param, error.value.told_headers) == ("seed", ())
        w.provider.say(SECOND, "ok")
        await w.complete(w.order(FIRST, SECOND))
        w.provider.say(SECOND, ProviderFailed("down"))
        with pytest.raises(UpstreamUnavailable):
            await w.complete(w.order(FIRST, SECOND))

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedServer]:
    """Every wire on loopback."""
    with ScriptedServer() as server:
        yield server


MODELS = {
    "anthropic/claude-sonnet-4-5": "",
    "gemini/gemini-2.5-flash": "/v1beta",
    "gpt-4o-mini": "/v1",
    "openai/gpt-4o-mini": "/v1",
}
OF_OPENAI = ("gpt-4o-mini", "openai/gpt-4o-mini")


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("model", MODELS)
def test_no_provider_gets_a_parameter_that_it_does_not_know(
    provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch, transport: str, model: str
) -> None:
    """On both transports: OpenAI's go to OpenAI alone; no literal `extra_body` leaves."""
    for key in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(key, "sk-test")

    async def scenario() -> Any:
        config = {
            "tiers": {"cheap": {"models": [model]}, "expensive": {"models": ["openai/dear"]}},
            "models": {model: {"params": {"api_base": provider.origin + MODELS[model]}}},
            "routing": {"threshold": 0.99},
            "upstream": {"transport": transport},
        }
        async with Turnout(config) as turnout:
            return await turnout.complete("q", store=False, metadata={"a": "b"}, prompt_cache_key="k")

    answer = asyncio.run(scenario())
    sent = provider.received[-1].body.keys()
    ours = {"store", "metadata", "prompt_cache_key"}
    assert "extra_body" not in sent
    assert (ours <= sent) is (model in OF_OPENAI)
    # The caller's key names its conversation, and one of ours is sent in its place where it is taken.
    assert set(answer.outcome.dropped) == (set() if ours <= sent else {"store", "metadata"})
