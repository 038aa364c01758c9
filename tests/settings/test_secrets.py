"""No secret that is written into a settings file, in whatever wrong place, is ever repeated."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.errors import SettingsError
from turnout.settings import Settings
from turnout.settings.secrets import secrets_of
from turnout.testing import ManualClock
from turnout.webhooks.factory import sender_from

NAN = float("nan")
TIERS = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/big"]}}
CANARY = "S3CRET/canary"


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"models": {"openai/small": {"api_key": CANARY}}}, "api_key"),
        ({"models": {"openai/small": {"api_key_env": "sk-" + CANARY}}}, "api_key_env"),
        ({"models": {"openai/small": {"params": CANARY}}}, "params"),
        ({"models": {"openai/small": CANARY}}, 'models."openai/small"'),
        ({"models": {"openai/small": {"params": {"api_key": CANARY}}}}, "params"),
        ({"redis": {"url": "redis://h", "password": CANARY}}, "redis.password"),
        ({"redis": {"url": f"valkey://:{CANARY}@h/0"}}, "redis.url"),
        ({"redis": {"url": f" redis://:{CANARY}@h/0"}}, "redis.url"),
        ({"redis": f"redis://:{CANARY}@h/0"}, "redis"),
        ({"redis": [f"redis://:{CANARY}@h/0"]}, "redis"),
        ({"webhooks": {"secret": CANARY}}, "webhooks.secret"),
        ({"webhooks": {"secret_env": "whsec_" + CANARY}}, "webhooks.secret_env"),
        ({"webhooks": {"allow_hosts": f"https://{CANARY}"}}, "webhooks.allow_hosts"),
        ({"status": {"token": CANARY}}, "status.token"),
        ({"status": {"token_env": CANARY}}, "status.token_env"),
        ({"alerts": {"webhook_url": {"url": CANARY}}}, "alerts.webhook_url"),
        ({"alerts": f"https://h/{CANARY}"}, "alerts"),
        ({"api_key": CANARY}, "api_key"),
        ({"cache": {"scope": "sk-live-" + CANARY}}, "cache.scope"),
        ({"limits": {"per_user": f"token {CANARY} 1234567890123"}}, "limits.per_user"),
    ],
)
def test_a_secret_in_the_wrong_place_is_named_by_its_key_alone(sections: dict[str, Any], key: str) -> None:
    """The setting, and what is wrong about it."""
    with pytest.raises(SettingsError) as error:
        Settings.from_mapping({"tiers": TIERS, **sections})
    assert key in str(error.value)
    assert "S3CRET" not in str(error.value)


def test_a_webhook_that_cannot_be_used_tells_its_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is the secret."""
    monkeypatch.setenv("TURNOUT_WEBHOOK_SECRET", "x" * 24)
    settings = Settings.from_mapping({"tiers": TIERS, "alerts": {"webhook_url": f"http://h.example/{CANARY}"}})
    with pytest.raises(SettingsError, match=r"alerts\.webhook_url: must be https") as error:
        sender_from(settings, ManualClock())
    assert "S3CRET" not in str(error.value)


def test_no_repr_holds_a_secret_and_every_secret_is_listed() -> None:
    """What was given is still used; a log redacts each."""
    settings = Settings.from_mapping({
        "tiers": TIERS,
        "models": {"openai/small": {"params": {"aws_secret_access_key": "AWS-" + CANARY,
                                               "extra_headers": {"Authorization": "Bearer HEAD-" + CANARY}}}},
        "alerts": {"webhook_url": "https://hooks.example.org/HOOK-" + CANARY},
        "redis": {"url": "redis://:REDIS-S3CRET%2Fcanary@127.0.0.1:6379/0"},
    })  # fmt: skip
    for value in (settings, settings.redis, settings.models, settings.alerts):
        assert "S3CRET" not in repr(value)
        assert "S3CRET" not in str(value)
    assert settings.redis is not None
    assert settings.redis.url == "redis://:REDIS-S3CRET%2Fcanary@127.0.0.1:6379/0"
    listed = set(secrets_of(settings, {"OPENAI_API_KEY": "sk-env", "HOME": "/root"}))
    assert {"AWS-" + CANARY, "HEAD-" + CANARY, "/HOOK-" + CANARY, "REDIS-" + CANARY, "sk-env"} <= listed
    assert "/root" not in listed


@pytest.mark.parametrize("character", ["#", "/", "?"])
@pytest.mark.parametrize(
    "url", ["redis://:{}@h:6379/0", "rediss://u:{}@h/0", "cluster://:{}@h:1,i:2", "sentinel://:{}@h:1/s"]
)
def test_a_password_that_a_url_cannot_hold_is_refused_with_what_to_do(url: str, character: str) -> None:
    """At the start, not by a traceback of urllib's; percent-encoded it is taken."""
    with pytest.raises(SettingsError, match=r"^redis\.url: .*percent-encode") as error:
        Settings.from_mapping({"tiers": TIERS, "redis": {"url": url.format(f"S3CRET{character}more")}})
    assert "S3CRET" not in str(error.value)
    Settings.from_mapping({"tiers": TIERS, "redis": {"url": url.format(f"S3CRET%{ord(character):02X}more")}})


@pytest.mark.parametrize("character", ["#", "/", "?"])
def test_a_password_that_begins_as_a_port_does_is_refused_too(character: str) -> None:
    """Its user would be the host that the rest is sent to."""
    with pytest.raises(SettingsError, match=r"^redis\.url: .*percent-encode"):
        Settings.from_mapping({"tiers": TIERS, "redis": {"url": f"redis://user:6379{character}0@h:6379/0"}})


@pytest.mark.parametrize(
    "url", ["redis://h/reports", "redis://h/0/1", "redis://h:99999/0", "redis://h:x/0", "redis:///0", "unix://",
            "cluster://h/1", "sentinel://h:1", "sentinel://h/s/x", "redis://h,i/0"],
)  # fmt: skip
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    """A database that is no number would silently be 0, another app's."""
    with pytest.raises(SettingsError, match=r"^redis\.url: "):
        Settings.from_mapping({"tiers": TIERS, "redis": {"url": url}})


@pytest.mark.parametrize(
    "url", ["redis://localhost:6379/0", "redis://h", "rediss://u:p@h:6380/15?ssl_ca_certs=/etc/ca.pem", "redis://[::1]:6379",
            "unix:///run/redis.sock?db=1", "sentinel://h:26379,i:26379/service/2", "rediss+cluster://:p@h:1"],
)  # fmt: skip
def test_every_form_of_the_url_is_taken(url: str) -> None:
    """As the README lists them."""
    settings = Settings.from_mapping({"tiers": TIERS, "redis": {"url": url}})
    assert settings.redis is not None
    assert settings.redis.url == url


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"cache": {"max_entries": float("inf")}}, "cache.max_entries"),
        ({"cache": {"max_entries": 10**15}}, "cache.max_entries"),
        ({"cache": {"max_bytes": float("nan")}}, "cache.max_bytes"),
        ({"cache": {"ttl_s": 1e17}}, "cache.ttl_s"),
        ({"cache": {"stale_s": float("inf")}}, "cache.stale_s"),
        ({"retry": {"deadline_s": 1e12}}, "retry.deadline_s"),
        ({"budgets": {"total": "5/99999999999999d"}}, "budgets.total"),
        ({"budgets": {"total": "99999999/day"}}, "budgets.total"),
        ({"limits": {"per_user": "1/9999999d"}}, "limits.per_user"),
        ({"limits": {"per_user": "99999999m tokens/hour"}}, "limits.per_user"),
        ({"models": {"openai/small": {"input_usd_per_million": 1e30, "output_usd_per_million": 1}}}, "input_usd"),
        ({"models": {"openai/small": {"input_usd_per_million": NAN, "output_usd_per_million": 1}}}, "input_usd"),
        ({"models": {"openai/small": {"input_usd_per_million": 1, "output_usd_per_million": NAN}}}, "output_usd"),
        ({"models": {"openai/small": {"timeout_s": float("inf")}}}, "timeout_s"),
        ({"models": {"openai/small": {"timeout_s": NAN}}}, "timeout_s"),
        ({"cache": {"stale_s": NAN}}, "cache.stale_s"),
        ({"queue": {"result_ttl_s": NAN}}, "queue.result_ttl_s"),
        ({"queue": {"result_ttl_s": float("inf")}}, "queue.result_ttl_s"),
        ({"redis": {"url": "redis://h", "prefix": "a{b}"}}, "redis.prefix"),
        ({"routing": {"forced": "some"}}, "routing.forced"),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(sections: dict[str, Any], key: str) -> None:
    """Not by a script that Redis refuses, under everybody's requests."""
    with pytest.raises(SettingsError, match=key.replace(".", r"\.")):
        Settings.from_mapping({"tiers": TIERS, **sections})
