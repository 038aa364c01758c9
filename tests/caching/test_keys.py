"""The key: another for each field that shapes the answer, the same for the rest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from turnout.caching.keys import Keys, policy_digest
from turnout.errors import InvalidRequest
from turnout.settings import Settings
from turnout.wire import from_mapping

TIERS = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
KEYS = Keys(policy=policy_digest(Settings.from_mapping({"tiers": TIERS}), "v1"), scope="user")
BASE: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0.5}


def _key(change: dict[str, Any] | None = None, user: str = "ann", model: str = "auto", keys: Keys = KEYS) -> bytes:
    return keys.key(from_mapping({**BASE, **(change or {})}), model=model, user=user)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": "hello "}]},
        {"messages": [{"role": "system", "content": "be brief"}, *BASE["messages"]]},
        {"temperature": 0.6},
        {"top_p": 0.5},
        {"seed": 1},
        {"stop": "x"},
        {"max_tokens": 5},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tool_choice": "none"},
        {"response_format": {"type": "json_object"}},
        {"top_k": 3},
        {"logprobs": True},
        {"reasoning_effort": "low"},
        {"turnout": {"tag": "billing"}},
    ],
    ids=str,
)
def test_what_shapes_the_answer_changes_the_key(change: dict[str, Any]) -> None:
    """Each field alone is enough."""
    assert _key(change) != _key()


@pytest.mark.parametrize(
    "change",
    [
        {"stream": True},
        {"stream_options": {"include_usage": True}},
        {"user": "u"},
        {"metadata": {"a": "b"}},
        {"seed": None},
    ],
    ids=str,
)
def test_what_does_not_shape_it_leaves_the_key(change: dict[str, Any]) -> None:
    """A stream and a whole answer share one entry."""
    assert _key(change) == _key()


def test_order_and_number_form_do_not_matter() -> None:
    """1 and 1.0 are one temperature; an object's keys have no order."""
    assert _key({"temperature": 1.0}) == _key({"temperature": 1})
    one, other = {"type": "x", "a": 1}, {"a": 1, "type": "x"}
    assert _key({"response_format": one}) == _key({"response_format": other})


def test_users_policies_and_targets_have_their_own() -> None:
    """With scope "user" the user is part of it, with "app" not; another scorer begins a new cache."""
    assert _key(user="bob") != _key()
    app = Keys(policy=KEYS.policy, scope="app")
    assert _key(user="bob", keys=app) == _key(keys=app)
    other = Keys(policy=policy_digest(Settings.from_mapping({"tiers": TIERS}), "v2"), scope="user")
    assert _key(keys=other) != _key()
    assert _key(model="cheap") != _key()


def test_the_key_is_the_same_in_every_process() -> None:
    """Whatever the hash seed."""
    code = "from tests.caching.test_keys import _key; print(_key().hex())"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {_key().hex() + "\n"}


def test_text_that_is_not_unicode_is_the_callers_fault() -> None:
    """A lone surrogate is a 400."""
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        _key({"messages": [{"role": "user", "content": "\ud800"}]})
