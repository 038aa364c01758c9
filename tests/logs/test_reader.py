"""The reader of every kind of log: one table, whatever it is written as; what it cannot be sure of, it asks."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.logs import samples
from turnout.errors import LogError
from turnout.logs.broken import Broken
from turnout.logs.labelled import read_logs
from turnout.logs.reader import Columns, LogReader
from turnout.logs.schemas import SCHEMAS

PRICES = {"gpt-4o-mini": 0.75, "gpt-4o": 12.5}
# question, cheap and expensive quality.
TABLE = [("How do I get a refund?", 1.0, 0.0), ("Prove it for every n.", 0.0, 1.0), ("Say hello", 0.0, 1.0)]


def price_of(model: str) -> float | None:
    return PRICES.get(model.rsplit(":", 1)[-1])


def json_lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def question_of(query: Any) -> str:
    return str(query.messages[-1]["content"])


def as_read(path: Path, **options: Any) -> list[tuple[str, float, float]]:
    logs = read_logs([path], price_of=price_of, columns=Columns(**options))
    assert logs.skipped == 0, logs.bad
    rows = zip(map(question_of, logs.queries), logs.cheap.tolist(), logs.expensive.tolist(), strict=True)
    return sorted(rows)


def one_answer_records(make: Callable[..., Any]) -> list[Any]:
    """A record an answer, the cheap model's first."""
    return [
        make(question, model, grade, usd)
        for question, *grades in TABLE
        for model, grade, usd in zip(PRICES, grades, (0.0002, 0.006), strict=True)
    ]


@pytest.mark.parametrize("name", samples.ONE_ANSWER)
def test_a_log_of_one_answer_a_record_is_pivoted(tmp_path: Path, name: str) -> None:
    """By the question; named in one line, with which model is which."""
    path = json_lines(tmp_path / "log.jsonl", one_answer_records(samples.ONE_ANSWER[name]))
    assert as_read(path) == sorted(TABLE)
    assert as_read(path, source=name) == sorted(TABLE)
    logs = read_logs([path], price_of=price_of)
    assert set(logs.groups) == {"support"}
    assert logs.has_costs == (name != "otel")
    assert "read as" in logs.understood[0]


@pytest.mark.parametrize("name", samples.BOTH_ANSWERS)
def test_a_log_of_both_answers_a_record_is_read(tmp_path: Path, name: str) -> None:
    """Of RouteLLM's the reference counts as right."""
    rows = [row for row in TABLE if name != "routellm" or row[2] == 1.0]
    path = json_lines(tmp_path / "log.jsonl", [samples.BOTH_ANSWERS[name](*row) for row in rows])
    assert as_read(path) == sorted(rows)


def test_promptfoo_holds_its_rows_within_one_document(tmp_path: Path) -> None:
    """Pretty-printed or not."""
    for indent in (None, 2):
        path = tmp_path / f"results{indent}.json"
        path.write_text(json.dumps(samples.promptfoo(TABLE), indent=indent))
        assert as_read(path) == sorted(TABLE)


@pytest.mark.parametrize("name", samples.QUESTIONS)
def test_questions_without_grades_go_on_to_label(tmp_path: Path, name: str) -> None:
    """They are read, and training says what buys the rest."""
    path = json_lines(tmp_path / "log.jsonl", [samples.QUESTIONS[name](row[0]) for row in TABLE])
    rows = [row for _, _, row in LogReader([path]).rows()]
    assert not any(isinstance(row, Broken) for row in rows)
    with pytest.raises(LogError, match="`turnout label LOG -o FILE` asks the tiers"):
        read_logs([path])


def test_every_schema_has_its_sample() -> None:
    """A preset that no test reads may be wrong."""
    sampled = {
        *samples.ONE_ANSWER,
        *samples.BOTH_ANSWERS,
        *samples.QUESTIONS,
        "promptfoo",
        "feedback",
        "langfuse-scores",
    }
    assert {schema.name for schema in SCHEMAS} == sampled


def test_scores_of_another_file_are_joined_by_id(tmp_path: Path) -> None:
    """Turnout's feedback to its request log, Langfuse's scores to its observations."""
    requests = [
        {key: value for key, value in record.items() if key != "quality"}
        for record in one_answer_records(samples.turnout)
    ]
    for number, record in enumerate(requests):
        record["id"] = f"req-{number}"
    grades = [grade for _, *pair in TABLE for grade in pair]
    feedback = [{"request_id": f"req-{number}", "quality": grade} for number, grade in enumerate(grades)]
    paths = [json_lines(tmp_path / "log.jsonl", requests), json_lines(tmp_path / "feedback.jsonl", feedback)]
    logs = read_logs(paths, price_of=price_of)
    assert sorted(zip(map(question_of, logs.queries), logs.cheap, logs.expensive, strict=True)) == sorted(TABLE)
    with pytest.raises(LogError, match="holds no prompts; name the log beside it"):
        read_logs(paths[1:])


def test_models_of_unknown_price_are_asked_for(tmp_path: Path) -> None:
    """Guessing would train the opposite of what is meant; the names are told with or without their provider."""
    path = json_lines(tmp_path / "log.jsonl", [samples.arena(*row) for row in TABLE])
    with pytest.raises(LogError, match="say which two they are: --cheap gpt-4o-mini --expensive gpt-4o"):
        read_logs([path])
    logs = read_logs([path], columns=Columns(cheap="openai/gpt-4o", expensive="gpt-4o-mini"))
    assert logs.cheap.tolist() == [row[2] for row in TABLE]
    with pytest.raises(LogError, match="no answer of claude"):
        read_logs([path], columns=Columns(cheap="claude", expensive="gpt-4o"))


def test_costs_tell_which_model_is_cheap_only_beyond_doubt(tmp_path: Path) -> None:
    """Nearly the same cost says nothing."""
    for usd, known in ((0.006, True), (0.0003, False)):
        records = [samples.braintrust(q, model, grade, cost) for q, *pair in TABLE
                   for model, grade, cost in zip(("x", "y"), pair, (0.0002, usd), strict=True)]  # fmt: skip
        path = json_lines(tmp_path / "log.jsonl", records)
        if known:
            assert as_read(path) == sorted(TABLE)
        else:
            with pytest.raises(LogError, match="--cheap x --expensive y"):
                read_logs([path])


@pytest.mark.parametrize(
    ("record", "options"),
    [
        (lambda q, c, e: {"q": q, "small": c, "large": e}, {"prompt": "q", "cheap": "small", "expensive": "large"}),
        (lambda q, c, e: {"body": {"messages": samples.messages(q)}, "g": {"s": c, "l": e}},
         {"prompt": "/body/messages", "cheap": "g.s", "expensive": "g.l"}),
        (lambda q, c, e: {"body": json.dumps({"messages": samples.messages(q)}), "s": c, "l": e},
         {"prompt": "body.messages", "cheap": "s", "expensive": "l"}),
        (lambda q, c, e: {"Question": q, "gpt-4o-mini": c, "gpt-4o": e}, {}),
        (lambda q, c, e: {" Prompt ": q, "Cheap Quality": c, "EXPENSIVE_QUALITY": e}, {}),
        (lambda q, c, e: {"prompt": json.dumps(samples.messages(q)), "cheap_quality": c, "expensive_quality": e}, {}),
    ],
)  # fmt: skip
def test_columns_of_ones_own(tmp_path: Path, record: Callable[..., Any], options: dict[str, str]) -> None:
    """By name, dotted path or JSON pointer, through JSON within texts; or by their usual names."""
    path = json_lines(tmp_path / "log.jsonl", [record(*row) for row in TABLE])
    assert as_read(path, **options) == sorted(TABLE)


def test_a_long_table_takes_the_mean_of_what_was_graded_twice(tmp_path: Path) -> None:
    """A row a model, thumbs; a question with one side alone is told."""
    rows = [("q", "gpt-4o-mini", "up"), ("q", "gpt-4o-mini", "down"), ("q", "gpt-4o", "up"), ("r", "gpt-4o", "up")]
    path = tmp_path / "thumbs.csv"
    path.write_text("question,model,thumb\n" + "".join(",".join(row) + "\n" for row in rows))
    logs = read_logs([path], price_of=price_of)
    assert (logs.cheap.tolist(), logs.expensive.tolist(), logs.skipped) == ([0.5], [1.0], 1)
    assert "the row tells one side alone" in logs.bad[0]


def _part(path: Path, place: int, **more: Any) -> Path:
    return json_lines(path, [{"prompt": row[0], "score": row[place], **more} for row in TABLE])


def test_a_file_a_model_makes_one_table(tmp_path: Path) -> None:
    """The model stands in a column; which is cheap, by price or by the flags. Bad rows are named by their own file."""
    cheap = _part(tmp_path / "a.jsonl", 1, model="gpt-4o-mini")
    dear = _part(tmp_path / "b.jsonl", 2, model="gpt-4o")
    for options in ({}, {"columns": Columns(cheap="gpt-4o-mini", expensive="gpt-4o")}):
        logs = read_logs([cheap, dear], price_of=price_of, **options)
        assert (logs.cheap.tolist(), logs.expensive.tolist()) == ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0])
        assert logs.skipped == 0
    dear.write_text(dear.read_text() + '{"prompt": "no other", "model": "gpt-4o", "score": 1}\nbroken\n')
    logs = read_logs([cheap, dear], price_of=price_of)
    assert (len(logs), logs.skipped) == (3, 2)
    assert [line.partition(": ")[0] for line in logs.bad] == [f"{dear}:5", f"{dear}:4"]


def test_a_file_a_model_without_its_name_is_named_by_the_flags(tmp_path: Path) -> None:
    """By path, by name, or without its suffix; two files that name no model and no flag are no pair."""
    cheap, dear = _part(tmp_path / "small.jsonl", 1), _part(tmp_path / "large.jsonl", 2)
    for one, other in ((str(cheap), str(dear)), ("small.jsonl", "large.jsonl"), ("small", "large")):
        logs = read_logs([cheap, dear], columns=Columns(cheap=one, expensive=other), price_of=price_of)
        assert (logs.cheap.tolist(), logs.expensive.tolist()) == ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0])
    with pytest.raises(LogError):
        read_logs([cheap, dear], price_of=price_of)


def test_files_of_several_models_each_stay_tables_of_their_own(tmp_path: Path) -> None:
    """Questions of two such files are not one question."""
    rows = [{"prompt": "q", "model": model, "score": 1} for model in PRICES]
    files = [json_lines(tmp_path / f"{name}.jsonl", rows) for name in "ab"]
    assert len(read_logs(files, price_of=price_of)) == 2


def test_a_conversation_that_ends_in_an_answer_asks_what_stands_before(tmp_path: Path) -> None:
    """Replayed whole, a model would continue its own answer."""
    asked = [{"role": "user", "content": "What is 1+1?"}]
    path = json_lines(tmp_path / "chat.jsonl", [{"messages": [*asked, {"role": "assistant", "content": "2"}]}] * 3)
    row = next(row for _, _, row in LogReader([path]).rows())
    assert not isinstance(row, Broken)
    assert row["messages"] == asked


def test_an_open_quote_is_told_as_the_rows_it_swallows(tmp_path: Path) -> None:
    """All are counted; a long text of several lines is none."""
    path = tmp_path / "open.csv"
    good = "".join(f"q {row},0,1\n" for row in range(10))
    path.write_text("prompt,cheap_quality,expensive_quality\n" + good + '"open,0,1\n' + good)
    logs = read_logs([path])
    assert (len(logs), logs.skipped) == (10, 11)
    assert "swallows 10 rows" in logs.bad[0]
    path.write_text('prompt,cheap_quality,expensive_quality\n"list:\n1, 2, 3\nend",0,1\n' + good)
    assert (len(read_logs([path])), read_logs([path]).skipped) == (11, 0)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), min_size=1).filter(str.strip)
QUALITIES = st.sampled_from([0.0, 0.25, 1.0])
TABLES = st.lists(st.tuples(TEXTS, QUALITIES, QUALITIES), min_size=1, max_size=8)


def written(rows: list[Any], kind: str) -> bytes:
    """The table in one of the formats."""
    names = ("prompt", "cheap_quality", "expensive_quality")
    records = [dict(zip(names, row, strict=True)) for row in rows]
    if kind == "json":
        return json.dumps(records, indent=1).encode()
    if kind == "jsonl":
        return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()
    if kind == "parquet":
        sink = io.BytesIO()
        pa.parquet.write_table(pa.Table.from_pylist(records), sink)
        return sink.getvalue()
    out = io.StringIO()
    csv.writer(out, delimiter="\t" if kind == "tsv" else ";" if kind == "excel" else ",").writerows([names, *rows])
    return out.getvalue().encode({"utf16": "utf-16", "bom": "utf-8-sig"}.get(kind, "utf-8"))


def packed(content: bytes, kind: str) -> bytes:
    if kind == "gz":
        return gzip.compress(content)
    if kind == "zip":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("log.csv", content)
        return sink.getvalue()
    return content


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TABLES)
def test_one_table_is_the_same_rows_in_every_format(tmp_path: Path, table: list[Any]) -> None:
    """Told by its bytes: the suffix is the same for all."""
    for kind in ("csv", "tsv", "excel", "utf16", "bom", "jsonl", "json", "parquet"):
        for container in ("plain", "gz", "zip"):
            path = tmp_path / "log.data"
            path.write_bytes(packed(written(table, kind), container))
            logs = read_logs([path])
            rows = zip(map(question_of, logs.queries), logs.cheap.tolist(), logs.expensive.tolist(), strict=True)
            assert list(rows) == table, (kind, container)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TABLES, st.sampled_from(["csv", "tsv", "utf16", "jsonl", "json", "parquet"]),
       st.sampled_from(["plain", "gz", "zip"]), st.data())  # fmt: skip
def test_a_cut_or_flipped_file_is_an_error_or_a_counted_loss(
    tmp_path: Path, table: list[Any], kind: str, container: str, data: st.DataObject
) -> None:
    """Never a traceback; a row that is gone is told, unless the cut leaves no sign of it."""
    content = packed(written(table, kind), container)
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    for damaged in (content[:place], flipped):
        path = tmp_path / "log.data"
        path.write_bytes(damaged)
        with contextlib.suppress(LogError):
            logs = read_logs([path])
            assert all(0.0 <= quality <= 1.0 for quality in (*logs.cheap, *logs.expensive))


# How people write a grade: (of a wrong answer, of a right one), each with the quality that it is.
GRADES = {
    "plain": ("0", "1"),
    "bool": ("False", "True"),
    "yes": ("no", "yes"),
    "percent": ("10 %", "90 %"),
    "comma": ("0,0", "1,0"),
}


def graded_table(grades: tuple[str, str], quoting: Any, kind: str) -> bytes:
    """Twelve rows, some of them with commas, quotes and lines within the prompt."""
    more = ("", ", with details", '\nand "quote" it', "")
    rows = [(f"Explain topic {n}{more[n % 4]}", grades[n % 2], grades[n % 3 > 0]) for n in range(12)]
    names = ("prompt", "cheap_quality", "expensive_quality")
    if kind == "csv":
        out = io.StringIO()
        csv.writer(out, quoting=quoting, lineterminator="\n").writerows([names, *rows])
        return out.getvalue().encode()
    records = [dict(zip(names, row, strict=True)) for row in rows]
    text = json.dumps(records) if kind == "json" else "\n".join(map(json.dumps, records))
    return text.encode()


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(list(GRADES.values())), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
       st.sampled_from(["csv", "csv", "jsonl", "json"]),
       st.sampled_from(["flip", "quote in", "quote out", "cut"]), st.data())  # fmt: skip
def test_damage_costs_no_row_but_its_own_without_a_word(
    tmp_path: Path, grades: tuple[str, str], quoting: Any, kind: str, damage: str, data: st.DataObject
) -> None:
    """However grades are written: of the other rows each is read with its labels, or counted as lost."""
    content = graded_table(grades, quoting, kind)
    place = data.draw(st.integers(content.index(b"Explain"), len(content) - 1))
    quotes = [at for at in range(place, len(content)) if content[at] == ord('"')]
    damaged = {
        "flip": content[:place] + bytes([content[place] ^ 1 << data.draw(st.integers(0, 7))]) + content[place + 1 :],
        "quote in": content[:place] + b'"' + content[place:],
        "quote out": content[: quotes[0]] + content[quotes[0] + 1 :] if quotes else content,
        "cut": content[:place],
    }[damage]
    whole, hurt = tmp_path / "whole.log", tmp_path / "hurt.log"
    whole.write_bytes(content)
    hurt.write_bytes(damaged)
    labels = labels_of(read_logs([whole]))
    assert len(labels) == 12
    with contextlib.suppress(LogError):
        logs = read_logs([hurt])
        read = labels_of(logs)
        assert sum(read[question] != labels[question] for question in read.keys() & labels.keys()) <= 1
        assert damage == "cut" or len(logs) + logs.skipped >= 11


def labels_of(logs: Any) -> dict[str, tuple[float, float]]:
    return {question_of(query): (logs.cheap[n], logs.expensive[n]) for n, query in enumerate(logs.queries)}


def test_rows_of_one_id_are_one_question_only_where_they_ask_the_same(tmp_path: Path) -> None:
    """Ids begin anew in each subject, and an id may be a category, or one for all."""
    questions = [(subject, number, f"{subject} question {number}") for subject in "ab" for number in range(3)]
    for named in (lambda subject, number: number, lambda subject, number: subject, lambda subject, number: "x"):
        records = [
            {"id": named(subject, number), "prompt": text, "model": model, "score": score}
            for subject, number, text in questions
            for model, score in zip(PRICES, (number % 2, 1), strict=True)
        ]
        logs = read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of)
        assert sorted(map(question_of, logs.queries)) == [text for _, _, text in questions]
        assert logs.cheap.tolist() == [0.0, 1.0, 0.0] * 2
        assert "6 records repeat another one's question" in logs.understood[0]


def test_a_record_without_its_prompt_is_of_no_question_where_its_id_names_several(tmp_path: Path) -> None:
    """It would be graded as whichever came first."""
    rows = [("p", "gpt-4o-mini"), ("", "gpt-4o"), ("q", "gpt-4o-mini"), ("q", "gpt-4o")]
    records = [{"id": 1, "prompt": prompt, "model": model, "score": 1} for prompt, model in rows]
    logs = read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of)
    assert list(map(question_of, logs.queries)) == ["q"]
    assert "its id names several questions" in logs.bad[0]
