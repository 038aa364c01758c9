"""Which prompts are made ahead: of a file, or the most frequent ones of the request log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnout.errors import LogError
from turnout.logs.bad_rows import BadRows
from turnout.openai.messages import last_user_text
from turnout.warming.prompts import WarmPrompt, most_frequent, read_prompts


def _read(path: Path, text: str) -> tuple[list[WarmPrompt], BadRows]:
    path.write_text(text, "utf-8")
    bad = BadRows()
    return list(read_prompts(path, user="ann", endpoint="/ask", bad=bad)), bad


def test_rows_are_read_as_submit_reads_them(tmp_path: Path) -> None:
    """Prompts, messages, parameters, OpenAI's batch format; what a labelled log says beside them is no parameter."""
    asked = [{"role": "user", "content": "b"}]
    rows = [
        {"prompt": "a", "temperature": 0, "id": 7, "group": "faq", "cheap_quality": 1.0},
        {"messages": asked, "model": "cheap"},
        {"custom_id": "mine", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": asked}},
        {"temperature": 1},
        ["no object"],
    ]
    prompts, bad = _read(tmp_path / "prompts.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [last_user_text(prompt.request.messages) for prompt in prompts] == ["a", "b", "b"]
    assert [(prompt.request.model, dict(prompt.request.params)) for prompt in prompts] == [
        ("auto", {"temperature": 0}), ("cheap", {}), ("auto", {}),
    ]  # fmt: skip
    assert {(prompt.user, prompt.endpoint) for prompt in prompts} == {("ann", "/ask")}
    assert [line.partition(": ")[0].rpartition(":")[2] for line in bad.named] == ["4", "5"]
    assert all(not prompt.request.extra for prompt in prompts)


def test_a_table_s_cells_are_parameters_where_they_are_named_so(tmp_path: Path) -> None:
    """Numbers are numbers, empty cells are none, other columns are left out."""
    table = "prompt,temperature,topic,model\na,0.5,sports,\nb,,news,cheap\n"
    prompts, _ = _read(tmp_path / "prompts.csv", table)
    assert [(p.request.model, dict(p.request.params), dict(p.request.extra)) for p in prompts] == [
        ("auto", {"temperature": 0.5}, {}), ("cheap", {}, {}),
    ]  # fmt: skip


def _line(text: str, key: str, *, user: str = "ann", hit: bool = False, **more: Any) -> str:
    line = {"id": "r", "user": user, "endpoint": "/ask", "cache": "hit" if hit else "miss_stored", "cache_key": key}
    asked = {} if hit else {"messages": [{"role": "user", "content": text}]}
    return json.dumps({**line, **asked, **more}) + "\n"


def _frequent(path: Path, lines: list[str], **which: Any) -> list[tuple[str, str]]:
    path.write_text("".join(lines), "utf-8")
    chosen = {"top": 10, "user": None, "shared": True, **which}
    found = most_frequent(path, bad=BadRows(), **chosen)
    return [(last_user_text(prompt.request.messages), prompt.user) for prompt in found]


def test_the_most_frequent_come_first_hits_counted(tmp_path: Path) -> None:
    """A hit holds no prompt in the log, and counts for the miss that it is a hit on; parameters are kept."""
    lines = [
        _line("rare", "1"),
        _line("often", "2", hit=True),
        _line("often", "2", request={"temperature": 0}),
        _line("often", "2", hit=True),
        _line("twice", "3"),
        _line("twice", "3"),
        _line("broken", "4", error="upstream_unavailable"),
        _line("of another file", "5", hit=True),
    ]
    path = tmp_path / "log.jsonl"
    assert _frequent(path, lines) == [("often", "ann"), ("twice", "ann"), ("rare", "ann")]
    assert _frequent(path, lines, top=1) == [("often", "ann")]
    assert most_frequent(path, top=1, user=None, shared=True, bad=BadRows())[0].request.params == {"temperature": 0}


def test_where_answers_are_one_user_s_each_user_s_own_are_made(tmp_path: Path) -> None:
    """Anonymous callers share none, so theirs are left out; one user alone where one is named."""
    lines = [_line("a", "1"), _line("b", "2", user="bob"), _line("c", "3", user="anonymous")]
    path = tmp_path / "log.jsonl"
    assert _frequent(path, lines, shared=False) == [("a", "ann"), ("b", "bob")]
    assert _frequent(path, lines, shared=False, user="bob") == [("b", "bob")]


def test_a_log_without_prompts_is_refused(tmp_path: Path) -> None:
    """It says which line of the settings would have written them."""
    with pytest.raises(LogError, match="content = true"):
        _frequent(tmp_path / "log.jsonl", [_line("", "1", hit=True)])
