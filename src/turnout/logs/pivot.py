"""One row a question, out of records of one answer each. Rows wait on disk: a log is longer than memory."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from turnout.logs.example import SIDES
from turnout.openai.messages import canonical_json

_QUALITIES = tuple(f"{side}_quality" for side in SIDES)


class Pivot:
    """Merges rows of one key. Several qualities of one side count as their mean, of all else the first one counts."""

    def __init__(self) -> None:
        # A temporary database of SQLite's own: in memory while it is small, then on disk; gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE rows (key BLOB PRIMARY KEY, line INTEGER, row TEXT, sums TEXT) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")
        self.merged = 0

    def add(self, key: bytes, line: int, row: Mapping[str, Any]) -> None:
        """One answer's row. line: where it stands."""
        held = self._database.execute("SELECT line, row, sums FROM rows WHERE key = ?", (key,)).fetchone()
        merged: dict[str, Any] = {} if held is None else json.loads(held[1])
        sums: dict[str, list[float]] = {} if held is None else json.loads(held[2])
        self.merged += held is not None
        for name in _QUALITIES:
            if name in row:
                total, count = sums.get(name, (0.0, 0))
                sums[name] = [total + row[name], count + 1]
        merged = {**{name: value for name, value in row.items() if name not in _QUALITIES}, **merged}
        first = line if held is None else held[0]
        values = (key, first, json.dumps(merged, default=str), json.dumps(sums))
        self._database.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", values)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each question's row, in the order of their first lines. Ends the pivot."""
        with closing(self._database) as database:
            for line, row, sums in database.execute("SELECT line, row, sums FROM rows ORDER BY line"):
                means = {name: total / count for name, (total, count) in json.loads(sums).items()}
                yield line, {**json.loads(row), **means}


def question_key(row: Mapping[str, Any]) -> bytes:
    """The same for the same question of the same group."""
    group = row.get("group")
    shaping = [row.get("prompt"), row.get("messages"), group if isinstance(group, str) else None]
    return hashlib.blake2b(canonical_json(shaping), digest_size=16).digest()
