"""One row a question, out of records of one answer each. Rows wait on disk: a log is longer than memory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from turnout.logs.broken import Broken
from turnout.logs.example import SIDES
from turnout.openai.messages import canonical_json

_QUALITIES = tuple(f"{side}_quality" for side in SIDES)

# Of a name: a record of it holds no prompt; another one holds another prompt.
_BLIND, _SHARED = 1, 2


class Pivot:
    """Merges rows of one question. Several qualities of one side count as their mean, of all else the first one counts.

    merged: rows that went into another one's.
    """

    def __init__(self) -> None:
        # A temporary database of SQLite's own: in memory while it is small, then on disk; gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE rows (key BLOB PRIMARY KEY, line INTEGER, row TEXT, sums TEXT, asked BLOB, state INTEGER) "
            "WITHOUT ROWID"
        )
        self._database.execute("BEGIN")
        self.merged = 0

    def add(self, line: int, row: Mapping[str, Any], named: str | None = None) -> None:
        """One answer's row. line: where it stands. named: what its record calls its question.

        Two rows of one name are of one question where both ask the same, or one of them does not tell what it asks:
        ids begin anew in each file or subject, and what looks like an id may be a category.
        """
        asked = b"" if named is None else prompt_key(row)
        key = question_key(row) if named is None else named.encode("utf-8", "replace")
        held = self._held(key)
        if held is not None and asked and held[3] and asked != held[3]:
            self._database.execute("UPDATE rows SET state = state | ? WHERE key = ?", (_SHARED, key))
            key = b"\x00" + question_key(row)
            held = self._held(key)
        merged: dict[str, Any] = {} if held is None else json.loads(held[1])
        sums: dict[str, list[float]] = {} if held is None else json.loads(held[2])
        self.merged += held is not None
        for name in _QUALITIES:
            if name in row:
                total, count = sums.get(name, (0.0, 0))
                sums[name] = [total + row[name], count + 1]
        merged = {**{name: value for name, value in row.items() if name not in _QUALITIES}, **merged}
        first = line if held is None else held[0]
        state = (0 if asked or named is None else _BLIND) | (0 if held is None else held[4])
        asked = asked if held is None else held[3] or asked
        values = (key, first, json.dumps(merged, default=str), json.dumps(sums), asked, state)
        self._database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?)", values)

    def _held(self, key: bytes) -> Any:
        """The row of this key as (line, row, sums, asked, state); None where there is none."""
        return self._database.execute("SELECT line, row, sums, asked, state FROM rows WHERE key = ?", (key,)).fetchone()

    def rows(self) -> Iterator[tuple[int, dict[str, Any] | Broken]]:
        """Each question's row, in the order of their first lines. Ends the pivot."""
        with closing(self._database) as database:
            for line, row, sums, state in database.execute("SELECT line, row, sums, state FROM rows ORDER BY line"):
                if state == _BLIND | _SHARED:
                    yield line, Broken("its id names several questions, and not each of its records holds the prompt")
                    continue
                means = {name: total / count for name, (total, count) in json.loads(sums).items()}
                yield line, {**json.loads(row), **means}


def question_key(row: Mapping[str, Any]) -> bytes:
    """The same for the same question of the same group."""
    group = row.get("group")
    return _digest([row.get("prompt"), row.get("messages"), group if isinstance(group, str) else None])


def prompt_key(row: Mapping[str, Any]) -> bytes:
    """The same for the same prompt, whatever its group; empty where the row holds none."""
    asked = [row.get("prompt"), row.get("messages")]
    return b"" if asked == [None, None] else _digest(asked)


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(canonical_json(value), digest_size=16).digest()
