"""`turnout check`: which keys are missing, and with --call what each model answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from turnout.cli import main


def settings(folder: Path, *, api_base: str = "") -> str:
    params = f'params = {{ api_base = "{api_base}" }}\n' if api_base else ""
    prices = "input_usd_per_million = 1\noutput_usd_per_million = 2\n"
    sections = "".join(f'[models."openai/{name}"]\n{params}{prices}' for name in ("small", "large"))
    path = folder / "turnout.toml"
    path.write_text('[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
                    f"[routing]\nthreshold = 0.5\n{sections}")  # fmt: skip
    return str(path)


def test_a_key_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not "good" then, and exit code 1; by the default path of the settings file, too."""
    settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert "key:       openai/small: OPENAI_API_KEY is not set" in out
    assert out.splitlines()[-1] != "good"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "good"


def test_that_no_key_goes_to_another_address_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment's is the provider's own: a gateway that wants one would refuse each call."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    path = Path(settings(tmp_path, api_base="http://127.0.0.1:9/v1"))
    told = "key:       openai/small: none is sent to its api_base; set api_key_env where that wants one"
    assert main(["check", "--config", str(path)]) == 0
    assert told in capsys.readouterr().out
    path.write_text(path.read_text().replace("params =", 'api_key_env = "OPENAI_API_KEY"\nparams ='))
    assert main(["check", "--config", str(path)]) == 0
    assert told not in capsys.readouterr().out


def test_a_parameter_without_a_bound_is_named_where_a_budget_applies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its model and what to do; without the budget it is nobody's business."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    path = Path(settings(tmp_path))
    entry = '{ model = "openai/small", params = { web_search_options = {} }, name = "seeker" }'
    path.write_text(path.read_text().replace('models = ["openai/small"]', f"models = [{entry}]"))
    assert main(["check", "--config", str(path)]) == 0
    path.write_text(path.read_text() + '[budgets]\ntotal = "1/day"\n')
    assert main(["check", "--config", str(path)]) != 0
    told = capsys.readouterr().err
    assert 'models."seeker".params.web_search_options: what web_search_options can cost has no known bound' in told
    assert "remove it, or the budgets and token limits" in told


def test_webhooks_without_their_secret_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where hosts are allowed: a worker without the secret leaves them waiting."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("TURNOUT_WEBHOOK_SECRET", raising=False)
    path = Path(settings(tmp_path))
    path.write_text(path.read_text() + '[queue]\n[webhooks]\nallow_hosts = ["hook.test"]\n')
    assert main(["check", "--config", str(path)]) == 0
    assert "webhooks:  TURNOUT_WEBHOOK_SECRET is not set" in capsys.readouterr().out
    monkeypatch.setenv("TURNOUT_WEBHOOK_SECRET", "secret")
    assert main(["check", "--config", str(path)]) == 0
    assert "webhooks:" not in capsys.readouterr().out


def test_a_misspelt_model_is_told_its_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a name that is right, or like no other, is not."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    config = tmp_path / "turnout.toml"
    config.write_text(
        '[tiers.cheap]\nmodels = ["openai/gpt-4o-mni", "openai/gpt-4o", "openai/mine"]\n'
        '[tiers.expensive]\nmodels = ["anthropic/claude-sonet-4-5"]\n[routing]\nthreshold = 0.5\n'
    )
    main(["check", "--config", str(config)])
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("model:")]
    assert told == [
        "model:     openai/gpt-4o-mni is not in litellm's table; did you mean openai/gpt-4o-mini?",
        "model:     anthropic/claude-sonet-4-5 is not in litellm's table; did you mean anthropic/claude-sonnet-4-5?",
    ]


def test_a_machine_may_have_a_role_in_place_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not set is told, and is no failure."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "turnout.toml"
    config.write_text('[tiers.cheap]\nmodels = ["bedrock/a"]\n[tiers.expensive]\nmodels = ["bedrock/b"]\n')
    assert main(["check", "--config", str(config)]) == 0
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY is not set; the machine may have a role" in capsys.readouterr().out


def test_prices_and_windows_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """litellm's, the settings' own, and none."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    config = tmp_path / "turnout.toml"
    config.write_text('[tiers.cheap]\nmodels = ["openai/gpt-4o-mini"]\n[tiers.expensive]\nmodels = ["openai/mine"]\n')
    assert main(["check", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert "price:     openai/gpt-4o-mini: 0.15 in, 0.6 out, USD per million tokens" in told
    assert "window:    openai/gpt-4o-mini: 128,000 in, 16,384 out" in told
    assert "price:     openai/mine: unknown" in told
    assert "window:    openai/mine: unknown in, unknown out" in told
    assert "wish:      max_expensive_share = 0.3" in told, "the one where none is set"
    section = (
        '[models."openai/mine"]\ninput_usd_per_million = 10\noutput_usd_per_million = 20.50\nmax_input_tokens = 9000\n'
    )
    config.write_text(config.read_text() + section + "[routing]\nkeep_quality = 0.9\n")
    assert main(["check", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert "openai/mine: 10 in, 20.5 out" in told
    assert "openai/mine: 9,000 in, unknown out" in told
    assert "promise no quality: served as max_expensive_share = 0.5" in told


def test_a_redis_that_cannot_be_reached_is_told_and_fails_a_call(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the address but for its password, and what that means; exit 1 with --call. Or the time of its answer."""
    path = Path(settings(tmp_path, api_base=provider.base_url))
    plain = path.read_text()
    path.write_text(plain + '[redis]\nurl = "redis://:hunter2@127.0.0.1:9/0"\n[budgets]\ntotal = "1/day"\n')
    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().out.endswith("good, but redis could not be asked, as told above\n")
    assert main(["check", "--call", "--config", str(path)]) == 1
    told = capsys.readouterr().out
    assert "redis:     redis://:***@127.0.0.1:9/0: Redis cannot be asked" in told
    assert "budgets refuse with 503" in told
    assert "not yet:   redis is not right" in told
    assert "hunter2" not in told
    assert main(["check", "--json", "--config", str(path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["good"], report["failed"], report["keys_missing"]) == (True, ["redis"], False)
    path.write_text(plain + f'[redis]\nurl = "{redis_server.url}"\n')
    assert main(["check", "--config", str(path)]) == 0
    assert f"redis:     {redis_server.url} answered in " in capsys.readouterr().out


def test_call_tells_time_and_cost(
    tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """One call each, of few tokens."""
    assert main(["check", "--call", "--config", settings(tmp_path, api_base=provider.base_url)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("call:")]
    assert [line.split()[1] for line in lines] == ["openai/small:", "openai/large:"]
    assert all("answered in" in line and "USD" in line for line in lines)


def test_call_tells_an_error_without_any_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that nobody listens at is told with its address; the command fails."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-mine")
    path = settings(tmp_path, api_base="http://127.0.0.1:9/v1")
    assert main(["check", "--call", "--config", path]) == 1
    out = capsys.readouterr().out
    assert "call:      openai/small: not_connected" in out
    assert "secret-of-mine" not in out


def test_the_semantic_cache_is_told_with_embedder_dimension_and_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the settings have it."""
    config = tmp_path / "turnout.toml"
    config.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        "[cache.semantic]\nenabled = true\n"
    )
    main(["check", "--config", str(config)])
    told = capsys.readouterr().out
    assert "vectors by wordllama, of 256" in told
    assert "numpy up to 10000 questions of a scope, usearch above" in told


def test_a_judge_is_told_and_asked_as_the_tiers_models_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: LoopbackProvider
) -> None:
    """It answers chats, though no caller's; without a price it is refused."""
    path = Path(settings(tmp_path, api_base=provider.base_url))
    judge = f'[models."openai/judge"]\nparams = {{ api_base = "{provider.base_url}" }}\n'
    semantic = '[cache.semantic]\nenabled = true\njudge = "openai/judge"\n'
    prices = "input_usd_per_million = 1\noutput_usd_per_million = 2\n"
    path.write_text(path.read_text() + judge + prices + semantic)
    assert main(["check", "--config", str(path), "--call"]) == 0
    assert "answers in other words compared by openai/judge, out of checks_usd" in capsys.readouterr().out
    assert provider.calls["judge"] == 1
    path.write_text(path.read_text().replace(judge + prices, judge))
    assert main(["check", "--config", str(path)]) == 1
    told = capsys.readouterr().err
    assert "[cache.semantic] judge is paid out of checks_usd, and no price is known for openai/judge" in told
