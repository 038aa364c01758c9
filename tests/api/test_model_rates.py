"""`[models.NAME] rate` over HTTP, at both doors, in memory and in Redis."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.job_doors import DOORS, scripted, turnout_with
from tests.support.redis_server import RedisServer
from turnout.errors import SettingsError
from turnout.settings import Settings

CHAT = "/v1/chat/completions"


def ask(url: str, text: str, **more: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": text}], **more}
    return httpx.post(url + CHAT, json=body, headers={"x-user-id": "ann"}, timeout=20)


@pytest.fixture(params=["memory", "redis"])
def shared(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of the store."""
    if request.param == "memory":
        return {}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"redis": {"url": server.url, "prefix": f"r-{secrets.token_hex(4)}", "timeout_s": 2.0}}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_what_is_above_a_models_rate_is_told_when_to_come_back(
    door: str, shared: dict[str, Any], tmp_path: Path
) -> None:
    """503 with Retry-After where the tier has no other model; a hit takes nothing of the rate."""
    provider = scripted()
    sections = {
        "models": {"openai/small": {"rate": ["2/hour", "100k tokens/hour"]}},
        "fallback": {"other_tier": "none"},
    }
    with DOORS[door](turnout_with(provider, tmp_path, **sections, **shared)) as url:
        assert [ask(url, text, max_tokens=50).status_code for text in "aab"] == [200, 200, 200]
        refused = ask(url, "c")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 3000
        assert provider.calls["openai/small"] == 2


def test_a_rate_that_is_none_is_refused_at_start() -> None:
    """With the key, and how to write it."""
    tiers = {"cheap": {"models": ["a/b"]}, "expensive": {"models": ["c/d"]}}
    with pytest.raises(SettingsError, match="rate"):
        Settings.from_mapping({"tiers": tiers, "models": {"a/b": {"rate": "often"}}})
    made = Settings.from_mapping({"tiers": tiers, "models": {"a/b": {"rate": "500/minute"}}})
    assert [(rate.limit, rate.window_s) for rate in made.model("a/b").rate] == [(500, 60)]
