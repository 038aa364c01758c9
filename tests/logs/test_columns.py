"""Further spellings of the same table: what people, buttons, spreadsheets and other tools write."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logs import samples
from tests.logs.test_reader import TABLE, as_read, json_lines, price_of
from turnout.cli import main
from turnout.errors import LogError
from turnout.labelling.prompts import Intake, read_prompts
from turnout.logs.broken import Broken
from turnout.logs.columns import Columns
from turnout.logs.labelled import read_logs
from turnout.logs.reader import LogReader
from turnout.logs.values import Scale

WINNERS = {(1.0, 0.0): "cheap", (0.0, 1.0): "expensive"}


def one_answer_each(*grades: Any, grade: str = "reaction", **more: Any) -> list[Any]:
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
        lambda q, c, e: {"prompt": q, "cheap_quality": "★★★★★" if c else "☆☆☆☆☆",
                         "expensive_quality": f"{5 * int(e)}/5 stars"},
        lambda q, c, e: {"prompt": q, "cheap_quality": {"rating": "thumbs_up" if c else "thumbs_down"},
                         "expensive_quality": json.dumps({"value": e})},
        lambda q, c, e: {"prompt": q, "correctness (gpt-4o-mini)": c, "correctness (gpt-4o)": e},
        lambda q, c, e: {"prompt": q, "score [openai/gpt-4o-mini]": c, "score [openai/gpt-4o]": e},
        lambda q, c, e: {"prompt": q, "gpt-4o-mini": c, "gpt-4o": e, "status": "success", "Expected": "yes"},
        lambda q, c, e: {"prompt": q, "gpt-4o-mini": c, "gpt-4o": e, "language": "no", "gpt-4o_answer": "yes"},
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
    "grades",
    [
        ("👎", "👍🏽"),
        ("downvote", "upvote"),
        ({"rating": "thumbs_down"}, {"rating": "thumbs_up"}),
        (":thumbs_down:", ":thumbs_up:"),
        ("thumbs_down", "thumbs up"),
        ("FALSCH", "WAHR"),
        ("❌", "✅"),
        ("0", "1"),
    ],
)
def test_a_thumb_is_read_however_it_is_written(tmp_path: Path, grades: tuple[Any, Any]) -> None:
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


def test_a_grade_within_an_object_of_the_row_is_found(tmp_path: Path) -> None:
    """Beside what else that object holds; where there are two such objects, nobody knows which one counts."""
    records = one_answer_each("thumbs_down", "thumbs_up")
    nested = [{**record, "reaction": None, "meta": {"user": "x", "rating": record["reaction"]}} for record in records]
    for record in nested:
        del record["reaction"]
    assert as_read(json_lines(tmp_path / "log.jsonl", nested)) == sorted(TABLE)
    path = json_lines(tmp_path / "log.jsonl", [{**record, "also": {"score": 1}} for record in nested])
    with pytest.raises(LogError, match="turnout label"):
        read_logs([path], price_of=price_of)


def test_stars_without_hollow_ones_stand_on_a_scale(tmp_path: Path) -> None:
    """Of how many, the flag says; with hollow ones they tell it themselves."""
    path = json_lines(tmp_path / "log.jsonl", one_answer_each("⭐", "⭐️⭐️⭐️"))
    with pytest.raises(LogError, match="pass --scale 1:5"):
        read_logs([path], price_of=price_of)
    logs = read_logs([path], columns=Columns(scale=Scale(1.0, 5.0)), price_of=price_of)
    assert sorted({*logs.cheap, *logs.expensive}) == [0.0, 0.5]
    hollow = read_logs([json_lines(path, one_answer_each("★☆☆☆☆", "★★★★☆"))], price_of=price_of)
    assert sorted({*hollow.cheap, *hollow.expensive}) == [0.2, 0.8]


def test_a_comma_within_a_grade_is_a_decimal_one(tmp_path: Path) -> None:
    """No scale that is graded on goes up to a thousand; on one that does, nobody knows."""
    rows = "a;3,667;1,000\nb;5;2,5\n"
    path = tmp_path / "log.csv"
    path.write_text(f"prompt;cheap_quality;expensive_quality\n{rows}")
    logs = read_logs([path], columns=Columns(scale=Scale(1.0, 5.0)))
    assert (logs.cheap.tolist(), logs.expensive.tolist()) == ([pytest.approx(0.66675), 1.0], [0.0, 0.375])
    assert read_logs([path], columns=Columns(scale=Scale(0.0, 2000.0))).skipped == 1


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        (
            {"model": "gpt-4o", "goodness": 1, "tokens": 9},
            "if goodness says how good an answer was, pass --quality goodness; ",
        ),
        (
            {"model": "gpt-4o", "goodness": 1, "how nice": "yes"},
            "if one of goodness, how nice says .* --quality goodness; ",
        ),
        ({"goodness": 0.5}, "if goodness says how good an answer was, pass --quality goodness --model COLUMN; "),
    ],
)
def test_a_column_that_may_be_the_quality_is_named(
    tmp_path: Path, more: dict[str, Any], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By training, and where `inspect` tells what labelling buys."""
    rows = [{"prompt": f"question {n}", "status": "ok", "Expected": "5", **more} for n in range(3)]
    path = json_lines(tmp_path / "log.jsonl", rows)
    with pytest.raises(LogError, match=f"{hint}else `turnout label LOG"):
        read_logs([path], price_of=price_of)
    assert main(["inspect", str(path)]) == 0
    assert re.search(hint.removesuffix("; "), capsys.readouterr().out)
    intake = Intake()
    assert len(list(read_prompts(LogReader([path]), set(), intake))) == 3
    assert re.search(hint.removesuffix("; "), intake.hints[0])


@pytest.mark.parametrize(
    "record",
    [
        lambda q, c, e: {"prompt": q, "winner": "gpt-4o" if e else "gpt-4o-mini"},
        lambda q, c, e: {"prompt": q, "model_a": "gpt-4o", "model_b": "gpt-4o-mini", "winner": "A" if e else "B"},
        lambda q, c, e: {"prompt": q, "mixtral_score": 5 if c else 1},
    ],
)
def test_a_scale_of_no_grades_is_refused(tmp_path: Path, record: Callable[..., Any]) -> None:
    """It was left out without a word. Beside a log that heeds it, that is told."""
    path = json_lines(tmp_path / "log.jsonl", [record(*row) for row in TABLE])
    with pytest.raises(LogError, match="not a grade that stands on a scale; leave --scale out"):
        read_logs([path], columns=Columns(scale=Scale(1.0, 5.0)), price_of=price_of)
    graded = [{"prompt": f"{q} again", "cheap_quality": 1 + 4 * c, "expensive_quality": 1 + 4 * e} for q, c, e in TABLE]
    both = [path, json_lines(tmp_path / "graded.jsonl", graded)]
    logs = read_logs(both, columns=Columns(scale=Scale(1.0, 5.0)), price_of=price_of)
    assert (len(logs), logs.skipped, "--scale is not of its grades" in logs.understood[0]) == (6, 0, True)
    assert sorted(logs.cheap) == sorted([*[row[1] for row in TABLE] * 2])


def test_a_scale_is_heeded_where_a_format_has_a_usual_one(tmp_path: Path) -> None:
    """Turnout's own log, promptfoo's and RouterBench's are 0 to 1 unless the flag says otherwise."""
    document = samples.promptfoo([(q, 1 + 4 * c, 1 + 4 * e) for q, c, e in TABLE])
    turnout = [samples.turnout(q, model, 1 + 4 * grade, 0.1) for q, *grades in TABLE
               for model, grade in zip(("gpt-4o-mini", "gpt-4o"), grades, strict=True)]  # fmt: skip
    routerbench = [samples.routerbench(q, 1 + 4 * c, 1 + 4 * e) for q, c, e in TABLE]
    for records in ([document], turnout, routerbench):
        assert as_read(json_lines(tmp_path / "log.jsonl", records), scale=Scale(1.0, 5.0)) == sorted(TABLE)


def test_a_calls_parameters_are_no_question(tmp_path: Path) -> None:
    """Beside a column that says it is one; `params` counts where it holds a body, as in Anthropic's batches."""
    records = one_answer_each("0", "1", grade="score", params={"temperature": 0.2})
    own = [{"customer_question": record.pop("question"), **record} for record in records]
    assert as_read(json_lines(tmp_path / "log.jsonl", own)) == sorted(TABLE)
    path = json_lines(tmp_path / "log.jsonl", [{"q": "a", **record} for record in records])
    with pytest.raises(LogError, match="it has q, model, score, params; say which holds the question: --prompt COLUMN"):
        read_logs([path], price_of=price_of)


@pytest.mark.parametrize(
    "name", ["judge_prompt", "grader_prompt", "eval_prompt", "rubric_prompt", "negative_prompt", "generated_question",
             "rewritten_query", "sql_query"]
)  # fmt: skip
def test_what_judges_or_rewrites_is_no_question(tmp_path: Path, name: str) -> None:
    """Alone it is refused with the flag to pass; beside a question the question is read."""
    records = one_answer_each("0", "1", grade="score", **{name: "You are a judge."})
    own = [{"customer_question": record.pop("question"), **record} for record in records]
    assert as_read(json_lines(tmp_path / "log.jsonl", own)) == sorted(TABLE)
    with pytest.raises(LogError, match="say which holds the question: --prompt COLUMN"):
        read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of)
