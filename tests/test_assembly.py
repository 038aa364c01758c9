"""What building a Turnout refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.errors import SettingsError
from turnout.testing import FixedScorer
from turnout.turnout import Turnout


def test_all_that_is_not_there_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of models, the status token, files and prices; what the code hands in is not asked for."""
    monkeypatch.delenv("NOT_THERE", raising=False)
    config = {
        "tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}},
        "models": {
            "openai/a": {"api_key_env": "NOT_THERE", "params": {"audio": {}}},
            "openai/b": {"api_key_env": "NOT_THERE"},
        },
        "status": {"token_env": "NOT_THERE"},
        "log": {"path": str(tmp_path / "none" / "log.jsonl")},
        "routing": {"scorer": str(tmp_path / "none.turnout")},
        "budgets": {"total": "1/day"},
    }
    with pytest.raises(SettingsError) as raised:
        Turnout(config)
    first, *lines = str(raised.value).splitlines()
    assert first == "7 settings are wrong:"
    begins = ('models."openai/a"', 'models."openai/b"', "status.", "log.", "routing.", "a budget is set",
              'models."openai/a".params.audio: ')  # fmt: skip
    assert all(line.strip().startswith(begin) for line, begin in zip(lines, begins, strict=True))
    with pytest.raises(SettingsError) as raised:
        Turnout(config, scorer=FixedScorer(0.5))
    assert "routing.scorer" not in str(raised.value)
