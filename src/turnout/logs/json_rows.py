"""The rows of JSON lines, and of JSON values that stand in an array, in an object or one behind another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from turnout.logs.broken import Broken, Row, check_names
from turnout.logs.fields import field, unpack_json
from turnout.logs.literals import is_too_deep, python_value
from turnout.logs.names import PROMPTS, plain

_CHUNK = 1 << 20
# What may stand between two values; RFC 7464 has the record separator before each.
_BETWEEN = " \t\r\n,\x1e"
# Under these names an object holds a list of rows, unless it is a row itself, which one of those names tells.
_WRAPPERS = ("data", "rows", "records", "items", "logs", "examples", "runs", "observations", "traces", "requests",
             "entries", "events", "samples", "results", "dataset", "train", "hits")  # fmt: skip
# promptfoo's document is read as a whole.
_WHOLE = "evalId"
# They name a question where they hold one: an API's answer may tell its request beside the rows.
_BODIES = frozenset({"request", "request_body", "body", "payload"})
_ASKED_IN_BODY = ("messages", "contents", "input", "prompt")


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
            if len(found) < 2:
                return []
            key = json.dumps(next(iter(found[0]), "")) if isinstance(found[0], dict) else "\n"
            return [*found, Broken(f"not JSON from here on ({error})", rows=max(1, text.count(key, place)))]
        while end < len(text) and text[end] in _BETWEEN:
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
    if _WHOLE in row or _is_row(row, prompt):
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
    named = [name for name in row if plain(name) in PROMPTS]
    return any(plain(name) not in _BODIES or _is_body(row[name]) for name in named)


def _is_body(value: Any) -> bool:
    value = unpack_json(value)
    return isinstance(value, str | list) or (isinstance(value, dict) and any(name in value for name in _ASKED_IN_BODY))


def _of_pandas(row: Row) -> list[Row | Broken] | None:
    """The rows of `to_json()`, a column an object by row number, and of `orient="split"`; None where it is neither."""
    columns, data = row.get("columns"), row.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(each, list) for each in data):
        names = [str(name) for name in columns]
        check_names(names)
        return [
            dict(zip(names, each, strict=True)) if len(each) == len(names) else Broken("fields and columns differ")
            for each in data
        ]
    first = next(iter(row.values()), None)
    if not isinstance(first, dict) or len(row) < 2 or not first or not all(str(key).isdigit() for key in first):
        return None
    if any(not isinstance(column, dict) or column.keys() != first.keys() for column in row.values()):
        return None
    return [{name: column[key] for name, column in row.items()} for key in first]


def json_values(file: IO[str], prompt: str) -> Iterator[tuple[int, Row | Broken]]:
    """The elements of an array, one at a time; or the one object that the document is."""
    decoder, text, line = json.JSONDecoder(), file.read(_CHUNK), 1
    # What each row begins with, to count those that are lost.
    key = ""
    is_array = text.lstrip().startswith("[")
    before, text = (text[: text.index("[")], text[text.index("[") + 1 :]) if is_array else ("", text)
    line += before.count("\n")
    while True:
        skipped = len(text) - len(text.lstrip(_BETWEEN))
        line += text.count("\n", 0, skipped)
        text = text[skipped:]
        if is_array and text.startswith("]"):
            # Another array or object may follow, as where several answers of an API are written to one file.
            is_array, text = False, text[1:]
            continue
        if not is_array and text.startswith("["):
            is_array, text = True, text[1:]
            continue
        try:
            element, end = decoder.raw_decode(text)
        except (ValueError, RecursionError) as error:
            # Not at its end yet, or broken: more of the file tells which.
            if more := file.read(max(_CHUNK, len(text))):
                text += more
                continue
            if text or is_array:
                reason = f"not JSON from here on ({error})" if text else "the JSON array is cut short"
                yield line, Broken(reason, rows=max(1, text.count(key)) if key else 1)
            return
        key = key or next((json.dumps(name) for name in element), "") if isinstance(element, dict) else key
        for row in _rows_within(_checked(element, text[:end]), prompt):
            yield line, row
        line += text.count("\n", 0, end)
        text = text[end:]
        if not is_array and not (text.strip() or (text := file.read(_CHUNK)).strip()):
            return
        if len(text) < _CHUNK // 2:
            text += file.read(_CHUNK)
