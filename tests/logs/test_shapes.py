"""Shapes that people's logs have besides the tools' own: what each row says is read, and no side is mistaken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.logs import samples
from tests.logs.test_reader import TABLE, as_read, json_lines, price_of
from turnout.errors import LogError
from turnout.logs.labelled import read_logs

CHEAP, DEAR = "gpt-4o-mini", "gpt-4o"


def battles(columns: tuple[str, str], grades: tuple[str, str]) -> list[dict[str, Any]]:
    """The models change places from row to row."""
    return [
        dict(zip((*columns, *grades), (CHEAP, DEAR, one, other) if at % 2 else (DEAR, CHEAP, other, one), strict=True))
        | {"prompt": question}
        for at, (question, one, other) in enumerate(TABLE)
    ]


def graded(record: Any) -> list[Any]:
    """A record an answer, made of question, model and grade."""
    return [
        record(question, model, grade)
        for question, *pair in TABLE
        for model, grade in zip((CHEAP, DEAR), pair, strict=True)
    ]


SHAPES: dict[str, list[Any]] = {
    "grades a and b": battles(("model_a", "model_b"), ("score_a", "score_b")),
    "grades 1 and 2": battles(("Model 1", "Model 2"), ("1 rating", "2 rating")),
    "a winner left or right": [
        {"prompt": q, "left_model": CHEAP, "right_model": DEAR, "vote": "left" if c > e else "right"}
        for q, c, e in TABLE
    ],
    "a winner 1 or 2": [
        {"prompt": q, "model_1": DEAR, "model_2": CHEAP, "preference": 2 if c > e else 1} for q, c, e in TABLE
    ],
    "pairs with hyphens": [
        {"prompt": q, "chosen-model": CHEAP if c > e else DEAR, "rejected-model": DEAR if c > e else CHEAP,
         "chosen-rating": 5, "rejected-rating": 2}
        for q, c, e in TABLE
    ],
    "an object by model": [
        {"prompt": q, "results": {CHEAP: {"score": c, "text": "x"}, DEAR: {"score": e, "text": "y"}}}
        for q, c, e in TABLE
    ],
    "a model as an object": graded(lambda q, m, g: {"prompt": q, "model": {"name": m, "provider": "o"}, "score": g}),
    "a grade in a list": graded(lambda q, m, g: {"prompt": q, "model": m, "feedback": [{"key": "user", "score": g}]}),
    "a body in a request": graded(
        lambda q, m, g: {"request": {"url": "u", "body": {"model": m, "messages": samples.messages(q)}}, "rating": g}
    ),
    "the app's own name of the question": [{"customer question": q, CHEAP: c, DEAR: e} for q, c, e in TABLE],
    "a Python list of one prompt": [{"prompt": repr([q]), CHEAP: c, DEAR: e} for q, c, e in TABLE],
    "a column a list": [{"prompt": [row[0] for row in TABLE], CHEAP: [row[1] for row in TABLE],
                         DEAR: [row[2] for row in TABLE]}],
    "promptfoo's second version": [{"version": 2, "results": graded(
        lambda q, m, g: {"prompt": {"raw": q}, "vars": {"q": q}, "provider": {"id": f"openai:{m}"},
                         "response": {"output": "a"}, "success": g > 0.5, "score": g})}],
    "Braintrust's table": graded(
        lambda q, m, g: {"input": q, "output": "a", "expected": "", "scores": json.dumps({"Factuality": g}),
                         "metadata": json.dumps({"model": m})}),
    "OpenAI's eval results": graded(
        lambda q, m, g: {"object": "eval.run.output_item", "datasource_item": {"question": q},
                         "results": [{"name": "match", "score": g, "passed": g > 0.5}],
                         "sample": {"input": samples.messages(q), "output": [], "model": m}}),
    "Vercel's spans": graded(
        lambda q, m, g: {"attributes": {"gen_ai.request.model": m, "quality": g,
                                        "ai.prompt.messages": json.dumps(samples.messages(q))}}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_read_as_what_it_says(tmp_path: Path, name: str) -> None:
    """Each row's two grades, whichever side stands first."""
    assert as_read(json_lines(tmp_path / "log.jsonl", SHAPES[name])) == sorted(TABLE)


QUESTIONS: dict[str, Any] = {
    "Anthropic's batch": lambda q: {"custom_id": q, "params": {"model": "claude", "messages": samples.messages(q)}},
    "a pair of nobody's": lambda q: {"chosen": f"\n\nHuman: {q}\n\nAssistant: x", "rejected": f"\n\nHuman: {q}"},
    "a pair with scores": lambda q: {"prompt": q, "score_chosen": 8.0, "score_rejected": 3.0},
    "spans as logs": lambda q: {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"spanId": q, "attributes": [
        {"key": "gen_ai.request.model", "value": {"stringValue": CHEAP}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(samples.messages(q))}}]}]}]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_shape_without_models_or_grades_goes_on_to_label(tmp_path: Path, name: str) -> None:
    """Of a pair whose models have no names no side is suggested: which is which changes from row to row."""
    path = json_lines(tmp_path / "log.jsonl", [QUESTIONS[name](row[0]) for row in TABLE])
    with pytest.raises(LogError, match="`turnout label LOG -o FILE` asks the tiers") as refused:
        read_logs([path], price_of=price_of)
    assert "--cheap" not in str(refused.value)


@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        ({"input": 0.001, "output": 0.002}, 0.003),
        ({"total": 0.003, "input": 0.001}, 0.003),
        ({"amount": 3e-5, "currency": "USD"}, 3e-5),
        ('{"total_cost": "$0.003"}', 0.003),
    ],
)
def test_a_cost_may_be_an_object(tmp_path: Path, cost: Any, usd: float) -> None:
    """Its total, else the sum of what was sent and what was answered."""
    records = graded(lambda q, m, g: {"prompt": q, "model": m, "score": g, "cost": cost})
    logs = read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of)
    assert logs.cheap_usd.tolist() == pytest.approx([usd] * 3)


def test_a_cost_in_an_object_keeps_its_currency(tmp_path: Path) -> None:
    """As one in a text does."""
    records = graded(lambda q, m, g: {"prompt": q, "model": m, "score": g, "cost": {"value": 1, "currency": "EUR"}})
    logs = read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of)
    assert "its costs are in EUR" in logs.understood[0]


ROWS = [{"prompt": f"question {at}", "cheap_quality": at % 2, "expensive_quality": 1, "meta": [{"prompt": "?"}] * 2}
        for at in range(8)]  # fmt: skip


@pytest.mark.parametrize("broken", [0, 3, 7])
@pytest.mark.parametrize("damage", [('": ', '" '), ('", "cheap', ", cheap")])
@pytest.mark.parametrize("begin", ["[", ""])
def test_one_broken_object_costs_no_other_row(tmp_path: Path, broken: int, damage: tuple[str, str], begin: str) -> None:
    """In one line or not; what stands within the broken one is no row."""
    texts = [json.dumps(row) for row in ROWS]
    texts[broken] = texts[broken].replace(*damage, 1)
    path = tmp_path / "log.json"
    for between in (", ", ",\n"):
        path.write_text(begin + between.join(texts) + ("]" if begin else ""))
        logs = read_logs([path])
        assert logs.skipped == 1
        assert [query.messages[0]["content"] for query in logs.queries] == [
            row["prompt"] for at, row in enumerate(ROWS) if at != broken
        ]
        assert logs.cheap.tolist() == [at % 2 for at in range(8) if at != broken]


def test_one_broken_object_of_pythons_costs_no_other_row(tmp_path: Path) -> None:
    """As one of JSON."""
    path = tmp_path / "log.json"
    path.write_text(repr(ROWS).replace("'expensive_quality': 1", "'expensive_quality': $1", 1))
    logs = read_logs([path])
    assert (logs.cheap.tolist(), logs.skipped) == ([1, 0, 1, 0, 1, 0, 1], 1)


def test_a_document_that_python_wrote_is_read(tmp_path: Path) -> None:
    """`print(rows)`: apostrophes, None and all, longer than what is read at once."""
    rows = [{**row, "group": None, "note": "it's " + "x" * 50_000} for row in ROWS] * 4
    path = tmp_path / "log.txt"
    path.write_text(repr(rows))
    logs = read_logs([path])
    assert (logs.cheap.tolist(), logs.skipped) == ([0, 1] * 16, 0)
