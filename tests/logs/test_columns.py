"""Further spellings of the same table: what people, buttons, spreadsheets and other tools write."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logs.test_reader import TABLE, as_read, json_lines, price_of
from turnout.errors import LogError
from turnout.logs.files import Broken
from turnout.logs.labelled import read_logs
from turnout.logs.reader import LogReader

WINNERS = {(1.0, 0.0): "cheap", (0.0, 1.0): "expensive"}


def one_answer_each(*grades: str, grade: str = "reaction", **more: Any) -> list[Any]:
    """A record an answer; grades: how a bad and a good one are written."""
    return [
        {"question": question, "model": model, grade: grades[int(quality)], **more}
        for question, *pair in TABLE
        for model, quality in zip(("gpt-4o-mini", "gpt-4o"), pair, strict=True)
    ]


@pytest.mark.parametrize(
    "record",
    [
        lambda q, c, e: {"prompt": q, "cheapQuality": c, "expensiveQuality": e},
        lambda q, c, e: {"prompt": q, "weak_score": c, "strong_score": e, "latency_ms": 3},
        lambda q, c, e: {"prompt": q, "cheap_quality": f"{4 * int(c)}/4", "expensive_quality": f"{5 * int(e)} / 5"},
        lambda q, c, e: {"prompt": q, "gpt-4o-mini_score": c, "gpt-4o_score": e, "total_tokens": 9},
        lambda q, c, e: {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": "a"}],
                         "cheap_score": c, "expensive_score": e},
        lambda q, c, e: {"prompt": q, "scores": {"gpt-4o-mini": c, "gpt-4o": e}},
        lambda q, c, e: {"prompt": q, "evals": [{"model": "gpt-4o-mini", "score": c}, {"model": "gpt-4o", "score": e}]},
        lambda q, c, e: {"prompt": q, "winner": "gpt-4o" if e > c else "gpt-4o-mini"},
        lambda q, c, e: {"prompt": q, "winner": WINNERS[c, e], "cheap_answer": "a", "expensive_answer": "b"},
        lambda q, c, e: {"question": q, "model_a": "gpt-4o", "model_b": "gpt-4o-mini",
                         "winner": "[[A]]" if e > c else "[[B]]"},
        lambda q, c, e: {"prompt": json.dumps([q]), "model_a": "gpt-4o", "model_b": "gpt-4o-mini",
                         "winner_model_a": int(e > c), "winner_model_b": int(c > e), "winner_tie": 0},
        lambda q, c, e: {"prompt": str([{"role": "user", "content": q}]), "cheap_quality": c, "expensive_quality": e},
    ],
)  # fmt: skip
def test_a_table_of_another_spelling_is_the_same_table(tmp_path: Path, record: Callable[..., Any]) -> None:
    """Without a flag: none of these can mean anything else."""
    assert as_read(json_lines(tmp_path / "log.jsonl", [record(*row) for row in TABLE])) == sorted(TABLE)


@pytest.mark.parametrize(
    "grades", [("👎", "👍🏽"), ("thumbs_down", "thumbs up"), ("FALSCH", "WAHR"), ("❌", "✅"), ("0", "1")]
)
def test_a_thumb_is_read_however_it_is_written(tmp_path: Path, grades: tuple[str, str]) -> None:
    """As buttons and spreadsheets of other languages write it."""
    assert as_read(json_lines(tmp_path / "log.jsonl", one_answer_each(*grades))) == sorted(TABLE)


def test_plus_and_minus_one_are_a_scale_of_their_own(tmp_path: Path) -> None:
    """Refused with the flag to pass, in the form that argparse takes."""
    path = json_lines(tmp_path / "log.jsonl", one_answer_each("-1", "+1"))
    with pytest.raises(LogError, match=r"another scale; pass --scale=-1:1"):
        read_logs([path], price_of=price_of)


def test_a_long_table_may_name_its_questions_by_id(tmp_path: Path) -> None:
    """The prompt stands beside one of an id's rows."""
    records = one_answer_each("0", "1", grade="score")
    for number, record in enumerate(records):
        record["prompt_id"] = number // 2
        if number % 2:
            record["question"] = None
    assert as_read(json_lines(tmp_path / "log.jsonl", records)) == sorted(TABLE)


def test_an_object_that_wraps_the_rows_is_read(tmp_path: Path) -> None:
    """An API's page, on one line or many; a record that holds a list of messages is no wrapper."""
    rows = [{"prompt": q, "cheap_quality": c, "expensive_quality": e} for q, c, e in TABLE]
    for name, indent in (("data", None), ("rows", 2)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({name: rows, "meta": {"page": 1}}, indent=indent))
        assert as_read(path) == sorted(TABLE)


def test_excels_separator_line_and_quoted_line_ends_are_read(tmp_path: Path) -> None:
    """`sep=;` is no header, and a line end within quotes no row."""
    path = tmp_path / "log.csv"
    rows = "".join(f'"{q}";{int(c)},0;{int(e)},0\r\n' for q, c, e in TABLE)
    path.write_text("sep=;\r\nprompt;cheap_quality;expensive_quality\r\n" + rows + '"two\r\nlines; one";1,0;1,0\r\n')
    logs = read_logs([path])
    assert (len(logs), logs.skipped, logs.queries[-1].messages[-1]["content"]) == (4, 0, "two\r\nlines; one")


def test_a_gzip_within_a_zip_is_read(tmp_path: Path) -> None:
    """As an export of a console gives it."""
    rows = "".join(json.dumps({"prompt": q, "cheap_quality": c, "expensive_quality": e}) + "\n" for q, c, e in TABLE)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("log.jsonl.gz", gzip.compress(rows.encode()))
    (tmp_path / "export.zip").write_bytes(sink.getvalue())
    assert as_read(tmp_path / "export.zip") == sorted(TABLE)


@pytest.mark.parametrize(
    "body",
    [
        {"system": "You are kind.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"systemInstruction": {"parts": [{"text": "You are kind."}]},
         "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        {"instructions": "You are kind.", "input": "Hello"},
    ],
)  # fmt: skip
def test_other_providers_bodies_are_read_with_their_system_prompt(tmp_path: Path, body: Any) -> None:
    """Anthropic's, Gemini's, and of OpenAI's Responses."""
    path = json_lines(tmp_path / "log.jsonl", [{"request": body}])
    ((_, _, row),) = LogReader([path]).rows()
    assert not isinstance(row, Broken)
    assert [message["content"] for message in row["messages"]] == ["You are kind.", "Hello"]


def test_numbers_that_may_be_qualities_are_asked_for(tmp_path: Path) -> None:
    """Of three nobody can say which two; tokens and times are none."""
    path = json_lines(tmp_path / "log.jsonl", [{"prompt": "a", "s1": 0, "s2": 1, "s3": 1, "tokens": 5}])
    with pytest.raises(LogError, match="Pass --cheap COLUMN --expensive COLUMN, of s1, s2, s3"):
        read_logs([path])
