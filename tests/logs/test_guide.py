"""The guide's table of formats is what the reader does. `python -m tests.logs.test_guide` writes it anew."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.logs import samples
from tests.logs.test_reader import TABLE, one_answer_records, price_of
from turnout.errors import LogError
from turnout.logs.labelled import read_logs
from turnout.logs.reader import LogReader
from turnout.logs.schemas import SCHEMAS

GUIDE = Path(__file__).parents[2] / "docs/guides/logs.md"
BEGIN, END = "<!-- formats: python -m tests.logs.test_guide -->\n", "<!-- end -->\n"
SCORES = {
    "feedback": {"request_id": "q-1", "quality": 1.0},
    "langfuse-scores": {"id": "s", "trace_id": "t", "observation_id": "o", "data_type": "NUMERIC", "value": 1.0},
}


HEADER = "prompt,cheap_quality,expensive_quality\n"
# Tables and files without a name of their own, as the guide calls them.
FILES: dict[str, str | bytes] = {
    "a table with both qualities a row": f"{HEADER}Say hello,1,1\n",
    "a table with a column a model": "question,gpt-4o-mini,gpt-4o\nSay hello,yes,yes\n",
    "a table with a row a model": "question,model,score\nSay hello,gpt-4o-mini,1\nSay hello,gpt-4o,1\n",
    "a table with a column of winners": "prompt,winner\nSay hello,gpt-4o\nSay it,gpt-4o-mini\n",
    "a row with a list of graded answers": json.dumps(
        {"prompt": "q", "samples": [{"model": "gpt-4o-mini", "score": 0}, {"model": "gpt-4o", "score": 1}]}
    ),
    "a table with error rates": "prompt,gpt-4o-mini_error_rate,gpt-4o_error_rate\nSay hello,0,1\n",
    "questions alone": "question\nSay hello\n",
    "`DataFrame.to_json(orient='values')`": '[["Say hello", 0, 1]]',
    "the output of an OpenAI batch": '{"custom_id": "r", "response": {}, "error": null}\n',
    "a table below a title line": f"My export\n{HEADER}Say hello,1,1\n",
    "a header alone": HEADER,
    "a tar archive": b"log.csv".ljust(257, b"\x00") + b"ustar",
    "a pickle": b"\x80\x04\x95",
    "UTF-32": HEADER.encode("utf-32"),
    "a web page": "<!doctype html><html></html>",
}


def records_by_format() -> Iterator[tuple[str, list[Any]]]:
    """Each format with records of it."""
    yield from ((name, one_answer_records(make)) for name, make in samples.ONE_ANSWER.items())
    yield from ((name, [make(*row) for row in TABLE if row[2] == 1.0]) for name, make in samples.BOTH_ANSWERS.items())
    yield "promptfoo", [samples.promptfoo(TABLE)]
    yield from ((name, [make(row[0]) for row in TABLE]) for name, make in samples.QUESTIONS.items())
    yield from ((name, [record]) for name, record in SCORES.items())


def outcome(path: Path) -> str:
    """What becomes of a log, as the guide says it."""
    try:
        read_logs([path], price_of=price_of)
    except LogError as error:
        if "`turnout label LOG" in str(error):
            assert all(row for _, _, row in LogReader([path]).rows())
            return "`label` asks both tiers"
        if "name the log beside it" in str(error):
            return "joined by id: name the log beside it"
        return f"refused: {str(error).removeprefix(f'{path}: ').replace('no row can be read: ', '')}"
    return "trains"


def table() -> str:
    """The guide's table."""
    titles = {schema.name: schema.title for schema in reversed(SCHEMAS)}
    lines = ["| `--from` | what it is | what becomes of it |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        for name, records in sorted(records_by_format()):
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
            lines.append(f"| `{name}` | {titles[name]} | {outcome(path)} |")
        lines += ["", "| a file that needs no `--from` | what becomes of it |", "|---|---|"]
        for name, content in FILES.items():
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            lines.append(f"| {name} | {outcome(path)} |")
    return "\n".join(lines) + "\n"


def test_the_guide_says_what_becomes_of_each_format() -> None:
    """Made by the very reader; written anew by the command in the guide's source."""
    actual = GUIDE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert actual == table()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_each_format_stands_in_the_guide(schema: Any) -> None:
    """A preset that nobody is told of is none."""
    assert f"`{schema.name}`" in GUIDE.read_text("utf-8")


if __name__ == "__main__":
    before, _, after = GUIDE.read_text("utf-8").partition(BEGIN)
    GUIDE.write_text(before + BEGIN + table() + END + after.partition(END)[2], "utf-8")
    sys.stdout.write(table())
