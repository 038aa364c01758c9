"""One model under several names is one; two models are never taken for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.logs.test_reader import TABLE, as_read, json_lines, price_of
from turnout.errors import LogError
from turnout.logs.columns import Columns
from turnout.logs.labelled import read_logs
from turnout.logs.model_names import same_models, short_model, spellings

# Another spelling of the same two models.
NAMES = {"gpt-4o": "openai/gpt-4o-2024-08-06", "gpt-4o-mini": "openai:gpt-4o-mini"}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("openai/gpt-4o", "gpt-4o"), ("openai:chat:gpt-4o", "gpt-4o"), ("GPT-4o", "gpt-4o"), ("llama3:8b", "llama3:8b"),
        ("openrouter/meta-llama/llama-3-8b:free", "llama-3-8b:free"),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307-v1:0"),
    ],
)  # fmt: skip
def test_a_short_name_has_no_provider(name: str, short: str) -> None:
    """A colon also parts a size or a variant from the name."""
    assert short_model(name) == short


@pytest.mark.parametrize(
    ("name", "models", "same"),
    [
        ("openai/gpt-4o", ["gpt-4o", "gpt-4o-mini"], ["gpt-4o"]),
        ("gpt-4o-2024-08-06", ["gpt-4o", "gpt-4o-mini"], ["gpt-4o"]),
        ("gpt-4o", ["azure/gpt-4o-2024-08-06", "gpt-4o-mini"], ["azure/gpt-4o-2024-08-06"]),
        ("anthropic.claude-3-haiku-20240307-v1:0", ["claude-3-haiku", "claude-3-opus"], ["claude-3-haiku"]),
        ("gpt-4o", ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"], ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"]),
        ("gpt-4o-2024-11-20", ["gpt-4o-2024-05-13", "gpt-4o-mini"], []),
        ("gpt-4", ["gpt-4o", "gpt-4-turbo"], []),
        ("llama3:8b", ["qwen:8b"], []),
    ],
)
def test_a_name_means_the_models_that_differ_by_provider_or_date(name: str, models: list[str], same: list[str]) -> None:
    """Of two dates each is a model of its own."""
    assert same_models(name, models) == same


def test_names_are_put_together_unless_there_are_two_dates() -> None:
    """Then nobody knows which one is meant by the name without."""
    assert spellings(["gpt-4o", "a/gpt-4o-2024-08-06", "x"]) == [["gpt-4o", "a/gpt-4o-2024-08-06"], ["x"]]
    dated = ["gpt-4o-2024-05-13", "gpt-4o", "gpt-4o-2024-08-06"]
    assert spellings(dated) == [[name] for name in dated]


def winners(*names: str) -> list[Any]:
    return [{"prompt": f"question {n}", "winner": name} for n, name in enumerate(names)]


def test_winners_bear_a_provider_or_a_date(tmp_path: Path) -> None:
    """Against the flags, against each other, and against the names of the same row."""
    rows = winners("openai/gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "tie", "openai:gpt-4o-mini")
    path = json_lines(tmp_path / "log.jsonl", rows)
    for flags in (Columns(cheap="gpt-4o-mini", expensive="gpt-4o"), Columns()):
        logs = read_logs([path], columns=flags, price_of=lambda name: price_of(short_model(name)))
        assert (logs.cheap.tolist(), logs.skipped) == ([0, 1, 0, 0.5, 1], 0)
    battles = [{"prompt": row["prompt"], "model_a": "gpt-4o", "model_b": "gpt-4o-mini", "winner": row["winner"]}
               for row in rows]  # fmt: skip
    assert read_logs([json_lines(path, battles)], price_of=price_of).cheap.tolist() == [0, 1, 0, 0.5, 1]


def test_a_winner_that_may_be_either_model_is_lost_with_a_word(tmp_path: Path) -> None:
    """And flags that name none of those that win are refused with what there is."""
    dated = Columns(cheap="gpt-4o-2024-05-13", expensive="gpt-4o-2024-08-06")
    rows = winners("gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-2024-08-06")
    logs = read_logs([json_lines(tmp_path / "log.jsonl", rows)], columns=dated)
    assert (len(logs), logs.skipped) == (2, 1)
    assert "winner is 'gpt-4o', which may be gpt-4o-2024-05-13 or gpt-4o-2024-08-06" in logs.bad[0]
    with pytest.raises(LogError, match="names gpt-4o, gpt-4o-2024-05-13, gpt-4o-2024-08-06; say which two models"):
        read_logs([tmp_path / "log.jsonl"], columns=Columns(cheap="claude", expensive="gemini"))
    with pytest.raises(LogError, match="gpt-4o-mini; say which two models they are: --cheap NAME --expensive NAME"):
        read_logs([json_lines(tmp_path / "log.jsonl", winners(*[row["winner"] for row in rows[1:]], "gpt-4o-mini"))])


def graded(second: dict[str, str]) -> list[Any]:
    """A row a model; every other question's models go by their second names."""
    return [
        {"prompt": question, "model": second.get(model, model) if place % 2 else model, "score": grade}
        for place, (question, *grades) in enumerate(TABLE)
        for model, grade in zip(("gpt-4o-mini", "gpt-4o"), grades, strict=True)
    ]


def test_models_of_two_names_are_one_side(tmp_path: Path) -> None:
    """Rows of the other name were left out."""
    path = json_lines(tmp_path / "log.jsonl", graded(NAMES))
    assert as_read(path) == sorted(TABLE)
    assert as_read(path, cheap="gpt-4o-mini", expensive="gpt-4o-2024-08-06") == sorted(TABLE)
    logs = read_logs([path], price_of=price_of)
    assert "cheap = gpt-4o-mini and openai:gpt-4o-mini, expensive = gpt-4o and openai/gpt-4o-2024" in logs.understood[0]


def test_two_names_that_answered_one_question_are_two_models(tmp_path: Path) -> None:
    """A model may be compared at two providers, or in two versions."""
    rows = [{"prompt": q, "model": model, "score": grade} for q, *grades in TABLE
            for model, grade in zip(("a/llama", "b/llama", "c"), [*grades, 0], strict=True)]  # fmt: skip
    path = json_lines(tmp_path / "log.jsonl", rows)
    with pytest.raises(LogError, match="say which two they are"):
        read_logs([path], price_of=price_of)
    assert as_read(path, cheap="a/llama", expensive="b/llama") == sorted(TABLE)
    with pytest.raises(LogError, match="llama may be a/llama, b/llama; pass the one that is meant"):
        read_logs([path], columns=Columns(cheap="llama", expensive="c"))
