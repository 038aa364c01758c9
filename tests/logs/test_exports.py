"""Further exports of the same tools: CSV files with JSON in their cells, older and newer schemas, API answers."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logs import samples
from tests.logs.test_reader import PRICES, TABLE, as_read, price_of
from turnout.logs.labelled import read_logs

Record = dict[str, Any]


def spans(question: str, model: str, attributes: Record, events: list[Record] | None = None) -> Record:
    """One OTLP span of a call."""
    listed = [{"key": key, "value": {"stringValue" if isinstance(value, str) else "doubleValue": value}}
              for key, value in {"gen_ai.request.model": model, **attributes}.items()]  # fmt: skip
    span = {"spanId": f"s-{question}", "attributes": listed, "events": events or []}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def event(name: str, key: str, value: Any) -> Record:
    kind = "stringValue" if isinstance(value, str) else "doubleValue"
    return {"name": name, "attributes": [{"key": key, "value": {kind: value}}]}


# A record an answer.
ONE_ANSWER: dict[str, Callable[[str, str, float], Record]] = {
    "langfuse's csv": lambda q, m, grade: {
        "id": f"{q}{m}", "traceId": "t", "type": "GENERATION", "model": m, "input": json.dumps(samples.messages(q)),
        "output": json.dumps({"role": "assistant", "content": "x"}), "scores": json.dumps({"helpful": [grade]}),
    },
    "langfuse's traces": lambda q, m, grade: {
        "id": q, "timestamp": "2026-01-01", "name": "support", "input": q, "output": "x", "metadata": {"model": m},
        "scores": [{"name": "user", "value": grade}],
    },
    "langsmith's chains": lambda q, m, grade: {
        "id": q, "name": "rag", "run_type": "chain", "inputs": {"question": q}, "outputs": {"answer": "x"},
        "extra": {"metadata": {"ls_model_name": m}}, "feedback_stats": {"correctness": {"n": 1, "avg": grade}},
    },
    "helicone's csv": lambda q, m, grade: {
        "request_id": f"{q}{m}", "request_body": json.dumps({"messages": samples.messages(q)}), "request_model": m,
        "response_body": json.dumps(samples.completion(m)),
        "scores": json.dumps({"quality": {"value": round(100 * grade), "valueType": "number"}}),
    },
    "phoenix' csv": lambda q, m, grade: {
        "context.span_id": f"{q}{m}", "span_kind": "LLM", "attributes.llm.model_name": m,
        "attributes.llm.input_messages": str([{"message.role": "user", "message.content": q}]),
        "eval.Correctness.score": str(grade),
    },
    "phoenix' api": lambda q, m, grade: {
        "context": {"span_id": f"{q}{m}"}, "span_kind": "LLM", "annotations": [{"result": {"score": grade}}],
        "attributes": {"llm.model_name": m, "llm.input_messages.0.message.role": "user",
                       "llm.input_messages.0.message.content": q},
    },
    "litellm's stored bodies": lambda q, m, grade: {
        "request_id": q, "call_type": "acompletion", "spend": 0.0, "model": m, "messages": {}, "metadata":
        {"quality": grade}, "proxy_server_request": json.dumps({"model": m, "messages": samples.messages(q)}),
    },
    "otel's flat spans": lambda q, m, grade: {
        "name": "chat", "context": {"span_id": q}, "attributes": {
            "gen_ai.request.model": m, "gen_ai.evaluation.score.value": grade,
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": q}]}])},
    },
    "otel's events": lambda q, m, grade: spans(q, m, {}, [
        event("gen_ai.user.message", "content", q), event("gen_ai.choice", "message", "x"),
        event("gen_ai.evaluation.result", "gen_ai.evaluation.score.value", grade)]),
    "openllmetry": lambda q, m, grade: spans(
        q, m, {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": q, "quality": grade}),
    "bodies": lambda q, m, grade: {"request": {"model": m, "messages": samples.messages(q)}, "score": grade},
}  # fmt: skip
# A record a question.
BOTH: dict[str, Callable[[str, float, float], Record]] = {
    "kaggle's arena": lambda q, c, e: {
        "model_a": "gpt-4o", "model_b": "gpt-4o-mini", "prompt": json.dumps([q]),
        "winner_model_a": int(e > c), "winner_model_b": int(c > e), "winner_tie": int(c == e)},
    "a preference": lambda q, c, e: {
        "question": q, "model_a": "gpt-4o", "model_b": "gpt-4o-mini", "preference": "A" if e > c else "B"},
    "graded completions": lambda q, c, e: {
        "instruction": q, "completions": [{"model": "gpt-4o-mini", "overall_score": c},
                                          {"model": "gpt-4o", "overall_score": e}]},
    "columns named for metric and model": lambda q, c, e: {
        "inputs.question": q, "correctness-gpt-4o-mini": c, "correctness-gpt-4o": e},
    "promptfoo's csv": lambda q, c, e: {
        "q": q, "[openai:gpt-4o-mini] {{q}}": f"[{'PASS' if c else 'FAIL'}] ({c:.2f}) x",
        "[openai:gpt-4o] {{q}}": f"[{'PASS' if e else 'FAIL'}] ({e:.2f}) y"},
}  # fmt: skip
NATIVE = [{"prompt": q, "cheap_quality": c, "expensive_quality": e} for q, c, e in TABLE]
DOCUMENTS = {
    "pandas' columns": {name: {str(at): row[name] for at, row in enumerate(NATIVE)} for name in NATIVE[0]},
    "pandas' split": {"columns": list(NATIVE[0]), "index": [0, 1, 2], "data": [list(row.values()) for row in NATIVE]},
    "a dictionary by id": {f"q{at}": row for at, row in enumerate(NATIVE)},
    "promptfoo's table": {"evalId": "e", "results": {"table": {
        "head": {"prompts": [{"raw": "{{q}}", "provider": f"openai:{model}"} for model in PRICES], "vars": ["q"]},
        "body": [{"vars": [q], "outputs": [{"score": c, "text": "x"}, {"score": e, "text": "y"}]} for q, c, e in TABLE],
    }}},
}  # fmt: skip


def write(path: Path, records: list[Record]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            rows = csv.DictWriter(file, list(records[0]))
            rows.writeheader()
            rows.writerows(records)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("name", ONE_ANSWER)
def test_an_export_of_one_answer_a_record(tmp_path: Path, name: str) -> None:
    """Its grades are found, wherever they are nested."""
    records = [ONE_ANSWER[name](q, model, grade) for q, *grades in TABLE
               for model, grade in zip(PRICES, grades, strict=True)]  # fmt: skip
    assert as_read(write(tmp_path / ("log.csv" if "csv" in name else "log.jsonl"), records)) == sorted(TABLE)


@pytest.mark.parametrize("name", BOTH)
def test_an_export_of_both_answers_a_record(tmp_path: Path, name: str) -> None:
    """Whose column is whose is known by the models' prices."""
    records = [BOTH[name](*row) for row in TABLE]
    assert as_read(write(tmp_path / ("log.csv" if "csv" in name else "log.jsonl"), records)) == sorted(TABLE)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_holds_the_rows(tmp_path: Path, name: str) -> None:
    """As one line of JSON and as many."""
    for indent in (None, 1):
        (tmp_path / "log.json").write_text(json.dumps(DOCUMENTS[name], indent=indent))
        assert as_read(tmp_path / "log.json") == sorted(TABLE)


def test_a_call_logged_without_its_prompt_is_a_counted_loss(tmp_path: Path) -> None:
    """LiteLLM's spend logs hold none unless it is asked for."""
    record = ONE_ANSWER["litellm's stored bodies"]("q", "gpt-4o", 1.0)
    rows = [*[{**record, "proxy_server_request": "{}"}] * 3, *map(samples.litellm, "ab", PRICES, (1, 0), (0.1, 0.1))]
    logs_path = write(tmp_path / "log.jsonl", rows)
    with pytest.raises(Exception, match="store_prompts_in_spend_logs"):
        read_logs([logs_path], price_of=price_of)


@pytest.mark.parametrize("words", ["Größe", "café crème", "it’s “fine”"])
def test_rows_of_western_encodings_are_read_and_told(tmp_path: Path, words: str) -> None:
    """Not dropped: that would drop whole languages."""
    lines = [f"{words if row % 3 else 'plain'} {row},{row % 2},{(row + 1) % 2}".encode("cp1252") for row in range(60)]
    path = tmp_path / "log.csv"
    path.write_bytes(b"prompt,cheap_quality,expensive_quality\n" + b"\n".join(lines))
    logs = read_logs([path])
    assert (len(logs), logs.skipped) == (60, 0)
    assert logs.queries[1].messages[-1]["content"] == f"{words} 1"
    assert "Latin-1" in logs.understood[0]


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "gbk"])
def test_rows_of_other_encodings_are_lost_and_told(tmp_path: Path, encoding: str) -> None:
    """Read as Latin-1 they would be other words."""
    words = {"cp1251": "Привет", "shift_jis": "こんにちは", "gbk": "你好世界"}[encoding]
    lines = [f"{words if row % 3 else 'plain'} {row},{row % 2},1".encode(encoding) for row in range(60)]
    path = tmp_path / "log.csv"
    path.write_bytes(b"prompt,cheap_quality,expensive_quality\n" + b"\n".join(lines))
    logs = read_logs([path])
    assert logs.skipped == 40
    assert "not valid UTF-8" in logs.bad[0]


def test_what_macos_adds_to_an_archive_is_no_log(tmp_path: Path) -> None:
    """An archive of one file is one still."""
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.writestr("log.jsonl", "".join(json.dumps(row) + "\n" for row in NATIVE))
        archive.writestr(".DS_Store", b"x")
        archive.writestr("__MACOSX/._log.jsonl", b"x")
    assert as_read(tmp_path / "log.zip") == sorted(TABLE)
