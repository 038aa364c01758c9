"""Logs in parts: a file a model, each with that model's answers to the same questions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from turnout.logs.columns import Columns
from turnout.logs.example import SIDES
from turnout.logs.fields import LogRecord
from turnout.logs.names import MODELS, column_named

# More lines than a file has: place = file * FILE_LINES + line tells both.
FILE_LINES = 10**12

Value = TypeVar("Value")


def are_parts(models: Sequence[set[str]], one_answer_each: Sequence[bool]) -> bool:
    """Whether these files belong together. models: those that answered in each."""
    names = [each - set(SIDES) for each in models]
    different = len(names) > 1 and len(set.union(*names)) > 1
    return different and all(one_answer_each) and all(len(each) == 1 for each in names)


def file_as_model(path: Path, first: Sequence[LogRecord], columns: Columns) -> str:
    """The name that `--cheap` or `--expensive` gives this file, whose records name no model; else ""."""
    names = dict.fromkeys(name for record in first for name in record)
    if columns.model or columns.source or column_named(names, MODELS):
        return ""
    given = (columns.cheap, columns.expensive)
    return next((name for name in given if name and name in (str(path), path.name, path.stem)), "")


def with_model(record: Value, name: str) -> Value | dict[str, Any]:
    """The record with its model's name; one that cannot be read as it is."""
    return {**record, "model": name} if isinstance(record, Mapping) else record
