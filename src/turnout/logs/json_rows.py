"""The rows of JSON lines, and of JSON values that stand in an array, in an object or one behind another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from turnout.logs.broken import Broken, Row, check_names
from turnout.logs.fields import field, is_body, unpack_json
from turnout.logs.json_mend import next_row
from turnout.logs.json_stream import BETWEEN, JsonStream
from turnout.logs.literals import is_too_deep, python_value
from turnout.logs.names import PROMPTS, plain, question_column

# Under these names an object holds a list of rows, unless it is a row itself, which one of those names tells.
_WRAPPERS = ("data", "rows", "records", "items", "logs", "examples", "runs", "observations", "traces", "requests",
             "entries", "events", "samples", "results", "dataset", "train", "hits")  # fmt: skip
# promptfoo's document is read as a whole, and so is a result of OpenAI's evals.
_WHOLE = ("evalId", "datasource_item")
# They name a question where they hold one: an API's answer may tell its request beside the rows.
_BODIES = frozenset({"request", "request_body", "body", "payload", "params"})
_ASKING = _BODIES.union(PROMPTS)


def json_lines(file: IO[str], prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    """A row a line; of several objects on one line each. Lines of comments may stand above the first."""
    is_head = True
    for place, line in enumerate(file, 1):
        text = line.strip()
        if text and not (is_head and text.startswith("#")):
            is_head = False
            yield from ((place, row) for each in _objects(text) for row in _rows_within(each, prompt))


def _objects(text: str) -> list[Row | Broken]:
    try:
        return [_checked(json.loads(text), text)]
    except json.JSONDecodeError as error:
        if text[0] == "{" and isinstance(value := python_value(text), dict):
            return [_checked(value, text)]
        return _one_behind_another(text) or [Broken(f"not JSON ({error})")]
    except ValueError as error:
        return [Broken(f"not JSON ({error})")]
    except RecursionError:
        return [Broken("not JSON (nested too deep)")]


def _one_behind_another(text: str) -> list[Row | Broken]:
    """The objects of a line that holds several; [] where it does not begin with two."""
    decoder, found, place = json.JSONDecoder(), list[Row | Broken](), 0
    while place < len(text):
        try:
            value, end = decoder.raw_decode(text, place)
            found.append(_checked(value, text[place:end]))
        except (ValueError, RecursionError) as error:
            first = next((row for row in found if isinstance(row, dict)), {})
            following, lost = next_row(text, place, first)
            if following is not None:
                found.append(Broken(f"not JSON ({error})", rows=lost))
                place = following
                continue
            return [*found, Broken(f"not JSON from here on ({error})", rows=lost)] if len(found) > 1 else []
        while end < len(text) and text[end] in BETWEEN:
            end += 1
        place = end
    return found


def _checked(value: Any, text: str) -> Row | Broken:
    """The row that a text holds."""
    if is_too_deep(value, text):
        return Broken("not JSON (nested too deep)")
    if isinstance(value, dict):
        return value if all(isinstance(name, str) for name in value) else Broken("not a JSON object")
    if isinstance(value, list):
        return Broken("a list without the columns' names; write objects, as DataFrame.to_json(orient='records') does")
    return Broken("not a JSON object")


def _rows_within(row: Row | Broken, prompt: str) -> Iterable[Row | Broken]:
    """The rows of an object that only wraps them, as an API answers, pandas writes or a dictionary keeps; else the
    row."""
    if isinstance(row, Broken):
        return (row,)
    if (written := _of_pandas(row)) is not None:
        return written
    if any(name in row for name in _WHOLE) or _is_row(row, prompt):
        return (row,)
    if len(row) > 1 and all(isinstance(each, dict) and _is_row(each, prompt) for each in row.values()):
        return list(row.values())
    lists = [name for name in _WRAPPERS if isinstance(row.get(name), list) and row[name]]
    if len(lists) != 1 or not all(isinstance(inner, dict) for inner in row[lists[0]]):
        return (row,)
    return list(row[lists[0]])


def _is_row(row: Row, prompt: str) -> bool:
    """Whether it holds a question itself."""
    if prompt and field(row, prompt) is not None:
        return True
    named = [name for name in row if plain(name) in _ASKING]
    return any(plain(name) not in _BODIES or _may_ask(row[name]) for name in named)


def _may_ask(value: Any) -> bool:
    return isinstance(unpack_json(value), str | list) or is_body(value)


def _of_pandas(row: Row) -> list[Row | Broken] | None:
    """The rows of `to_json()`, a column an object by row number, of `orient="split"` and of `to_dict("list")`; None
    where it is none of them."""
    columns, data = row.get("columns"), row.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(each, list) for each in data):
        names = [str(name) for name in columns]
        check_names(names)
        return [
            dict(zip(names, each, strict=True)) if len(each) == len(names) else Broken("fields and columns differ")
            for each in data
        ]
    if question_column(row) and len(row) > 1 and all(map(_is_column, row.values())):
        lengths = {len(column) for column in row.values()}
        if len(lengths) == 1:
            return [dict(zip(row, each, strict=True)) for each in zip(*row.values(), strict=True)]
    first = next(iter(row.values()), None)
    if not isinstance(first, dict) or len(row) < 2 or not first or not all(str(key).isdigit() for key in first):
        return None
    if any(not isinstance(column, dict) or column.keys() != first.keys() for column in row.values()):
        return None
    return [{name: column[key] for name, column in row.items()} for key in first]


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and not any(isinstance(each, dict | list) for each in value)


def json_values(file: IO[str], prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    """The elements of an array, one at a time; or the one object that the document is."""
    for line, value, text in JsonStream(file).values():
        row = value if isinstance(value, Broken) else _checked(value, text)
        yield from ((line, each) for each in _rows_within(row, prompt))
