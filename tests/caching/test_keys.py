"""The key: another for each field that shapes the answer, the same for the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from turnout.caching.keys import CacheKeys, policy_digest
from turnout.errors import InvalidRequest
from turnout.openai.requests import PARAMETERS, SHAPELESS, from_mapping
from turnout.settings import Settings

TIERS = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
CONFIG: dict[str, Any] = {"tiers": TIERS, "routing": {"threshold": 0.5}}
MODELS = ("openai/judge", "openai/embed")
HELLO = [{"role": "user", "content": "hello"}]


def _keys(version: str = "v1", scope: Any = "user", **sections: Any) -> CacheKeys:
    return CacheKeys(policy=policy_digest(Settings.from_mapping({**CONFIG, **sections}), version), scope=scope)


KEYS = _keys()


def _key(
    change: Mapping[str, Any] | None = None,
    user: str = "ann",
    model: str = "auto",
    tag: str = "/ask",
    keys: CacheKeys = KEYS,
) -> bytes:
    return keys.key(from_mapping({"messages": HELLO, **(change or {})}), model=model, tag=tag, user=user)


WORDS = some.text(some.characters(exclude_categories=("Cs",)), max_size=8)
NUMBERS = some.floats(0, 2, allow_nan=False) | some.integers(0, 2)
OBJECTS: some.SearchStrategy[dict[str, Any]] = some.dictionaries(
    WORDS, some.none() | some.booleans() | some.integers(-9, 9) | WORDS | some.lists(WORDS, max_size=2), max_size=3
)
LISTS = some.lists(OBJECTS, min_size=1, max_size=3)
COUNTS = some.integers(1, 99)

# For each parameter of OpenAI's reference, values of the type that it takes.
VALUES: dict[str, some.SearchStrategy[Any]] = {
    "audio": OBJECTS,
    "frequency_penalty": NUMBERS,
    "function_call": WORDS | OBJECTS,
    "functions": LISTS,
    "logit_bias": some.dictionaries(some.integers(0, 99).map(str), some.integers(-100, 100), max_size=3),
    "logprobs": some.booleans(),
    "max_completion_tokens": COUNTS,
    "max_tokens": COUNTS,
    "modalities": some.lists(some.sampled_from(["text", "audio"]), max_size=2),
    "n": COUNTS,
    "parallel_tool_calls": some.booleans(),
    "prediction": OBJECTS,
    "presence_penalty": NUMBERS,
    "reasoning_effort": WORDS,
    "response_format": OBJECTS,
    "seed": some.integers(),
    "service_tier": WORDS,
    "stop": WORDS | some.lists(WORDS, max_size=4),
    "temperature": NUMBERS,
    "tool_choice": WORDS | OBJECTS,
    "tools": LISTS,
    "top_logprobs": some.integers(0, 20),
    "top_p": NUMBERS,
    "user": WORDS,
    "verbosity": WORDS,
    "web_search_options": OBJECTS,
    # Not OpenAI's own: a provider's parameter, and what is told about a request without changing it.
    "top_k": NUMBERS,
    "metadata": OBJECTS,
    "store": some.booleans(),
    "safety_identifier": WORDS,
    "prompt_cache_key": WORDS,
    "prompt_cache_retention": WORDS,
}
# Said here again, so that no field leaves the key by a slip elsewhere.
SHAPE_NOTHING = {
    *("user", "service_tier", "metadata", "store", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention"),
}
OTHERS = some.fixed_dictionaries({}, optional=VALUES)


def test_every_parameter_is_varied() -> None:
    """One that is added to the table, or to what leaves the answer alone, has to be added here."""
    assert PARAMETERS.keys() | SHAPELESS <= VALUES.keys()


def _plain(value: Any) -> str:
    """The value's JSON, numbers by their value."""
    return json.dumps(float(value) if isinstance(value, float | int) and not isinstance(value, bool) else value)


@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=15, deadline=None)
@given(data=some.data())
def test_a_field_is_part_of_the_key_if_it_shapes_the_answer(name: str, data: some.DataObject) -> None:
    """Two values of it, or one and none, whatever the other fields are."""
    rest = {other: value for other, value in data.draw(OTHERS).items() if other != name}
    one, other = data.draw(VALUES[name]), data.draw(VALUES[name])
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True) and _plain(one) != _plain(other))
    shapes = name not in SHAPE_NOTHING
    assert (_key({**rest, name: one}) != _key({**rest, name: other})) is shapes
    assert (_key({**rest, name: one}) != _key(rest)) is shapes
    assert _key({**rest, name: one}) == _key(dict(reversed({**rest, name: one}.items())))


def test_what_a_caller_makes_do_with_leaves_others_their_own_answer() -> None:
    """The cheap tier's answer below a threshold of its own, or one made without a parameter that it sends."""
    asked = {"logprobs": True}
    assert _key({**asked, "turnout": {"threshold": 0.9}}) != _key(asked)
    assert _key({**asked, "turnout": {"optional": ["logprobs"]}}) != _key(asked)
    assert _key({**asked, "turnout": {"optional": ["reasoning_effort"]}}) == _key(asked)


MESSAGES = some.lists(
    some.fixed_dictionaries(
        {"role": some.sampled_from(["user", "assistant", "system"]), "content": WORDS},
        optional={"name": WORDS},
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(one=MESSAGES, other=MESSAGES)
def test_other_messages_are_another_key(one: list[Any], other: list[Any]) -> None:
    """Any role, content, name or order of them."""
    assert (_key({"messages": one}) == _key({"messages": other})) is (one == other)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "hello "}],
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"role": "developer", "content": "hello"}],
        [*HELLO, *HELLO],
        [{"role": "user", "content": "he\u0301llo"}],
        [*HELLO, {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}],
    ],
    ids=str,
)
def test_nothing_is_taken_for_the_same_that_a_model_sees_otherwise(messages: list[Any]) -> None:
    """No trimming, no joining, no normalising."""
    assert _key({"messages": messages}) != _key()


@pytest.mark.parametrize(
    "change",
    [{"stream": True}, {"stream_options": {"include_usage": True}}, {"seed": None}, {"turnout": {"tag": "/ask"}}],
    ids=str,
)
def test_what_does_not_shape_it_leaves_the_key(change: dict[str, Any]) -> None:
    """A stream and a whole answer share one entry; null is "not given"."""
    assert _key(change) == _key()


def test_order_and_number_form_do_not_matter() -> None:
    """1 and 1.0 are one temperature; an object's keys have no order."""
    assert _key({"temperature": 1.0}) == _key({"temperature": 1})
    one, other = {"type": "x", "a": 1}, {"a": 1, "type": "x"}
    assert _key({"response_format": one}) == _key({"response_format": other})


def test_both_names_of_the_cap_are_one_cap() -> None:
    """Alone; beside each other both count."""
    assert _key({"max_tokens": 5}) == _key({"max_completion_tokens": 5})
    both = [_key({"max_tokens": 5, "max_completion_tokens": most}) for most in (5, 6)]
    assert len({_key({"max_tokens": 5}), _key({"max_completion_tokens": 6}), *both}) == 4


@settings(max_examples=60, deadline=None)
@given(one=WORDS, other=WORDS)
def test_users_share_a_key_only_with_scope_app(one: str, other: str) -> None:
    """Whatever they are called."""
    assert (_key(user=one) == _key(user=other)) is (one == other)
    app = _keys(scope="app")
    assert _key(user=one, keys=app) == _key(user=other, keys=app)
    assert _key(user=one, keys=app) != _key(user=one)


def test_what_it_is_scored_with_and_where_it_is_sent_are_part_of_it() -> None:
    """The tag, and the tier or model that was asked for."""
    assert len({_key(), _key(tag="/other"), _key(tag=""), _key(model="cheap"), _key(model="openai/a")}) == 5


def test_another_policy_begins_a_new_cache() -> None:
    """Another scorer, tier, wish or parameter of a model; another time to live does not."""
    other_tiers = {"cheap": {"models": ["openai/c"]}, "expensive": {"models": ["openai/b"]}}
    policies = [
        KEYS,
        _keys(version="v2"),
        _keys(tiers=other_tiers),
        _keys(tiers={"cheap": TIERS["expensive"], "expensive": TIERS["cheap"]}),
        _keys(routing={"threshold": 0.6}),
        _keys(routing={"max_expensive_share": 0.5}),
        _keys(routing={"keep_quality": 0.5}),
        _keys(models={"openai/a": {"params": {"temperature": 0}}}),
        _keys(models={"openai/a": {"params": {"api_base": "http://127.0.0.1:1"}}}),
        _keys(models={"openai/a": {"max_output_tokens": 5}}),
    ]
    assert len({_key(keys=keys) for keys in policies}) == len(policies)
    assert _key(keys=_keys(cache={"ttl_s": 5})) == _key()


@pytest.mark.parametrize("params", [{}, {"temperature": 0}, {"dimensions": 64}])
def test_a_judge_s_or_an_embedding_model_s_section_leaves_every_answer_its_key(params: dict[str, Any]) -> None:
    """They answer nobody's question."""
    semantic = {"enabled": True, "max_error": 0.1, "judge": "openai/judge", "embedder": "litellm:openai/embed"}
    sections = {name: {"params": params, "input_usd_per_million": 1, "output_usd_per_million": 1} for name in MODELS}
    assert _key(keys=_keys(cache={"semantic": semantic}, models=sections)) == _key()


def test_the_key_is_the_same_in_every_process() -> None:
    """Whatever the hash seed."""
    code = "from tests.caching.test_keys import _key; print(_key().hex())"
    actual = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert actual == {_key().hex() + "\n"}


def test_text_that_is_not_unicode_is_the_callers_fault() -> None:
    """A lone surrogate is a 400."""
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        _key({"messages": [{"role": "user", "content": "\ud800"}]})
