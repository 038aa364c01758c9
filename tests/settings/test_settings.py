"""Settings: the whole sample is taken, and what is wrong is named with what would be right."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from turnout.errors import SettingsError
from turnout.settings import Budget, Rate, Retry, Settings

TIERS = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}

WHOLE = """
[tiers.cheap]
models = ["openai/gpt-4o-mini"]
[tiers.expensive]
models = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]
[models."openai/gpt-4o-mini"]
params = { api_base = "http://127.0.0.1:9001/v1" }
api_key_env = "OPENAI_API_KEY"
input_usd_per_million = 0.15
output_usd_per_million = 0.60
max_output_tokens = 4096
[routing]
scorer = "default"
keep_quality = 0.95
aliases = { "gpt-4o" = "auto" }
[cache.semantic]
enabled = false
[limits]
per_user = "60/minute"
per_endpoint = ["1000/minute", "100k tokens/hour"]
[budgets]
per_user = "1/day"
total = ["50/day", "5/24h"]
time_zone = "UTC"
[endpoints."/ask"]
prompt = "/question"
rate = "100/minute"
budget = "5/day"
[redis]
url = "redis://localhost:6379/0"
"""


def test_a_whole_file_is_taken(tmp_path: Path) -> None:
    """Every kind of value arrives as its own type."""
    file = tmp_path / "turnout.toml"
    file.write_text(WHOLE)
    settings = Settings.from_toml(file)
    assert settings.tiers.expensive.models == ("openai/gpt-4o", "anthropic/claude-sonnet-4-5")
    assert settings.model("openai/gpt-4o-mini").input_usd_per_million == Decimal("0.15")
    assert settings.limits.per_endpoint == (Rate(1000, 60), Rate(100_000, 3600, "tokens"))
    assert settings.budgets.total == (Budget(Decimal(50), calendar="day"), Budget(Decimal(5), rolling_s=86400))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"models": {"openai/a": {"responses": True}}, "upstream": {"transport": "litellm"}},
            r'models\."openai/a"\.responses = true: needs \[upstream\]',
        ),
        ({"rety": {}}, r"\[rety\]: unknown section; did you mean retry"),
        ({"retry": {"atempts": 2}}, r"retry\.atempts: unknown setting; did you mean attempts"),
        ({"retry": {"attempts": 0}}, r"retry\.attempts = 0: must be more than 0"),
        ({"retry": {"attempts": "two"}}, r'retry\.attempts = "two": must be a whole number'),
        ({"retry": {"attempts": True}}, r"retry\.attempts = true: must be a whole number"),
        ({"cache": {"scope": "usr"}}, r'cache\.scope = "usr": .*did you mean "user"'),
        ({"limits": {"per_user": "60 per minute"}}, r'limits\.per_user\[0\] = "60 per minute": not a rate'),
        ({"budgets": {"total": "0/day"}}, r"more than 0 USD"),
        ({"budgets": {"time_zone": "Mars/Base"}}, r"budgets\.time_zone"),
        ({"routing": {"threshold": 0.5, "keep_quality": 0.9}}, r"set exactly one"),
        ({"routing": {"aliases": {"x": "openai/c"}}}, r'routing\.aliases\."x" = "openai/c": must be one of'),
        ({"models": {"openai/a": {"params": {"api_key": "sk"}}}}, r"use api_key_env"),
        ({"models": {"openai/aa": {}}}, r'^models\."openai/aa": is in no tier.* did you mean "openai/a"\?$'),
        ({"routing": {"aliases": {"x": "expensiv"}}}, r'= "expensiv": must be one of .* did you mean "expensive"\?$'),
        ({"retry": {"base_s": -1}}, r"retry\.base_s = -1: must be more than 0$"),
        ({"endpoints": {"ask": {}}}, r'^endpoints\."ask": a path begins with "/"$'),
        ({"models": {"openai/a": {"input_usd_per_million": 1}}}, r"stand together"),
        ({"endpoints": {"ask": {}}}, r"begins with"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(sections: dict[str, Any], expected: str) -> None:
    """The message holds the key, the value and the nearest right thing."""
    with pytest.raises(SettingsError, match=expected):
        Settings.from_mapping({"tiers": TIERS, **sections})


@pytest.mark.parametrize("host", ["Hooks.test", "https://hooks.test", "hooks.test:8443", "[::1]", "*.test", ""])
def test_a_host_that_no_webhook_could_have_is_refused(host: str) -> None:
    """It would never match, and each webhook be refused; the value is not shown, as a whole URL may be a secret."""
    with pytest.raises(SettingsError, match=r"webhooks\.allow_hosts: must hold host names") as refused:
        Settings.from_mapping({"tiers": TIERS, "webhooks": {"allow_hosts": ["hooks.test", host]}})
    assert not host or host not in str(refused.value)
    Settings.from_mapping(
        {"tiers": TIERS, "webhooks": {"allow_hosts": ["hooks.test", "::1", "10.0.0.1", "bücher.test"]}}
    )


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Each with its key and the nearest right one, below the file's name."""
    (tmp_path / "t.toml").write_text(
        '[tiers.cheap]\nmodels = ["openai/a", 3]\n[routing]\nmax_expensive_shar = 0.3\n'
        '[cache]\nttl_s = "long"\n[retry]\ndeadline_s = -1\n[limit]\nper_user = "1/day"\n'
    )
    with pytest.raises(SettingsError) as raised:
        Settings.from_toml(tmp_path / "t.toml")
    first, *lines = str(raised.value).splitlines()
    assert first == f"{tmp_path / 't.toml'}: 6 settings are wrong:"
    assert [line.strip() for line in lines] == [
        "[limit]: unknown section; did you mean limits?",
        "tiers.expensive is missing; it has no default",
        "tiers.cheap.models[1] = 3: must be a text",
        "routing.max_expensive_shar: unknown setting; did you mean max_expensive_share?",
        'cache.ttl_s = "long": must be a number',
        "retry.deadline_s = -1: must be more than 0",
    ]


def test_what_settings_say_together_is_told_with_what_each_says_by_itself() -> None:
    """Every section's own checks, and those across sections, over what the right values make; of a setting that is
    wrong by itself nothing more."""
    wrong = {
        "tiers": TIERS,
        "models": {"openai/a": {"timeout_s": -1, "input_usd_per_million": "free", "api_key_env": "sk-abc def"}},
        "routing": {"tresh": 0.5, "keep_quality": 1.7, "max_expensive_share": 0.3, "aliases": {"old": "chep"}},
        "queue": {"concurrency": "many"},
        "endpoints": {"ask": {}, "/job": {"heavy": True}},
        "retry": {"base_s": 9, "cap_s": 1.5},
    }
    with pytest.raises(SettingsError) as raised:
        Settings.from_mapping(wrong)
    _, *lines = str(raised.value).splitlines()
    assert [line.strip().partition(": ")[0] for line in lines] == [
        'models."openai/a".input_usd_per_million = "free"',
        'models."openai/a".timeout_s = -1',
        'models."openai/a".api_key_env',
        "routing.tresh",
        "routing.keep_quality = 1.7",
        "routing.keep_quality and max_expensive_share",
        'queue.concurrency = "many"',
        "retry.cap_s = 1.5",
        'routing.aliases."old" = "chep"',
        'endpoints."ask"',
    ]


def test_a_section_made_in_code_refuses_its_first_wrong_value() -> None:
    """Nothing is collected outside of the reader, after one of its runs either."""
    with pytest.raises(SettingsError):
        Settings.from_mapping({"tiers": TIERS, "retry": {"base_s": -1}})
    with pytest.raises(SettingsError, match="base_s = -1: must be more than 0"):
        Retry(base_s=-1)


def test_tiers_are_required_and_apart() -> None:
    """No default may cost money; one model has one tier."""
    with pytest.raises(SettingsError, match="tiers is missing"):
        Settings.from_mapping({})
    with pytest.raises(SettingsError, match="both tiers"):
        Settings.from_mapping({"tiers": {"cheap": {"models": ["a"]}, "expensive": {"models": ["a"]}}})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """Missing and malformed files: the path stands in the message."""
    with pytest.raises(SettingsError) as raised:
        Settings.from_toml(tmp_path / "none.toml")
    assert str(raised.value) == f"there is no settings file {tmp_path / 'none.toml'}; `turnout init` writes one"
    with pytest.raises(SettingsError, match="cannot read the settings file") as raised:
        Settings.from_toml(tmp_path)
    assert str(raised.value).count(str(tmp_path)) == 1
    broken = tmp_path / "broken.toml"
    broken.write_text("[tiers")
    with pytest.raises(SettingsError, match=r"broken\.toml is not valid TOML"):
        Settings.from_toml(broken)


def test_a_command_may_ask_models_of_no_tier_that_the_file_tells_of(tmp_path: Path) -> None:
    """A judge with a price and an address; without the command it is a model that is reached by its name alone."""
    file = tmp_path / "turnout.toml"
    text = """
[tiers]
cheap = { models = ["openai/a"] }
expensive = { models = ["openai/b"] }
[models."openai/judge"]
timeout_s = 7
"""
    file.write_text(text)
    settings = Settings.from_toml(file, also=("openai/judge", "openai/a"))
    assert settings.model_names == ("openai/a", "openai/b", "openai/judge")
    assert settings.model("openai/judge").timeout_s == 7
    for also in ((), ("openai/other",)):
        assert Settings.from_toml(file, also=also).other_models == ("openai/judge",)
    file.write_text("tiers = 3")
    with pytest.raises(SettingsError, match="tiers: must be a table"):
        Settings.from_toml(file, also=("openai/judge",))


def test_paths_in_a_settings_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    """From wherever the app is started. Absolute ones stay; so do those of a mapping."""
    tiers = {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}}
    text = '[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n'
    file = tmp_path / "turnout.toml"
    for written, resolved in (
        ("s.turnout", str(tmp_path / "s.turnout")),
        ("/x/s", "/x/s"),
        ("default", "default"),
    ):
        file.write_text(f'{text}[routing]\nscorer = "{written}"\n[log]\npath = "{written}.log"\n')
        settings = Settings.from_toml(file)
        assert settings.routing.scorer == resolved
        assert settings.log.path == str(tmp_path / f"{written}.log")
    assert Settings.from_mapping({"tiers": tiers, "routing": {"scorer": "s"}}).routing.scorer == "s"


def test_the_figures_that_the_readme_promises_are_the_defaults() -> None:
    """As literals: a default that moves must be seen to move."""
    settings = Settings.from_mapping(
        {
            "tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}},
            "redis": {"url": "redis://h"},
        }
    )
    model, retry, breaker = settings.model("openai/a"), settings.retry, settings.breaker
    assert (model.max_image_tokens, model.max_concurrency, model.max_waiting) == (50_000, 64, 256)
    assert (retry.attempts, retry.budget, retry.deadline_s, retry.stream_deadline_s) == (3, 0.2, 60.0, 600.0)
    assert (breaker.failures, breaker.reset_s) == (5, 30.0)
    assert (settings.cache.ttl_s, settings.cache.stale_s, settings.cache.scope) == (3600.0, 86_400.0, "user")
    assert (settings.server.max_body_bytes, settings.server.max_params_bytes) == (10_485_760, 1_048_576)
    assert settings.server.max_answer_bytes == 33_554_432
    assert (settings.budgets.default_max_output_tokens, settings.budgets.on_outage) == (1024, "refuse")
    assert settings.redis is not None
    assert settings.redis.timeout_s == 0.05
