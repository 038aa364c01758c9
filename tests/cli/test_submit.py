"""`turnout submit`: a batch in, its results out, in order, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import LoopbackProvider
from turnout.cli import main


@pytest.fixture
def batch(tmp_path: Path, provider: LoopbackProvider) -> Any:
    """Calls the command on these lines, and gives its exit code and its output file's rows."""
    config = tmp_path / "turnout.toml"
    model = f'params = {{ api_base = "{provider.base_url}" }}\n'
    config.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[models."openai/small"]\n{model}[models."openai/large"]\n{model}'
        "[routing]\nthreshold = 1.0\n[queue]\n[cache]\nenabled = false\n"
    )

    def call(*lines: Any) -> tuple[int, list[dict[str, Any]]]:
        prompts, output = tmp_path / "prompts.jsonl", tmp_path / "results.jsonl"
        prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
        code = main(["submit", str(prompts), "-o", str(output), "--config", str(config)])
        return code, [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []

    return call


def test_results_come_in_the_prompts_order_and_are_paid_for_once(batch: Any, provider: LoopbackProvider) -> None:
    """Plain rows, messages and OpenAI's batch format; called again, the same jobs are found."""
    provider.says["small"] = lambda body: "to " + body["messages"][0]["content"]
    asked = [{"role": "user", "content": "b"}]
    rows = [
        {"prompt": "a"},
        {"messages": asked, "temperature": 0},
        {"custom_id": "mine", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": asked}},
        {"temperature": 1},
        {"prompt": "hi", "turnout": "x"},
    ]
    for _ in range(2):
        code, results = batch(*rows)
        assert code == 1
        assert [result["custom_id"] for result in results] == ["row-1", "row-2", "mine", "row-4", "row-5"]
        texts = [result["response"]["body"]["choices"][0]["message"]["content"] for result in results[:3]]
        assert texts == ["to a", "to b", "to b"]
        for failed in results[3:]:
            assert failed["error"]["code"] == "invalid_request_error"
            assert failed["response"] is None
        assert provider.calls.total() == 3


def test_a_line_that_is_no_object_is_a_failure(batch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and nothing is submitted."""
    code, results = batch({"prompt": "a"}, ["b"])
    assert (code, results) == (1, [])
    assert "line 2" in capsys.readouterr().err


def test_nothing_beside_the_output_is_touched(batch: Any, tmp_path: Path) -> None:
    """Whatever lies at a name that a partial file could have, a link to another file included."""
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    (tmp_path / "results.jsonl.partial").symlink_to(treasure)
    code, results = batch({"prompt": "a"})
    assert (code, len(results)) == (0, 1)
    assert treasure.read_text() == "mine"
    assert (tmp_path / "results.jsonl.partial").is_symlink()
