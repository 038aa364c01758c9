"""The values of a JSON array, or those that stand one behind another, read one at a time from an open file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from turnout.logs.broken import Broken, Row
from turnout.logs.json_mend import is_cut, next_row, python_object

_CHUNK = 1 << 20
# What may stand between two values; RFC 7464 has the record separator before each.
BETWEEN = " \t\r\n,\x1e"


@dataclass(slots=True)
class JsonStream:
    """text: what was read of the file and is not given yet; line: where it begins. first: the row that those behind a
    broken one have to be like."""

    file: IO[str]
    text: str = ""
    line: int = 1
    is_array: bool = False
    first: Row = field(default_factory=dict)

    def values(self) -> Iterator[tuple[int, Any, str]]:
        """Each value with its line and its text; Broken, with how many rows it stands for, where there is none. Objects
        that Python wrote are read too, and so is what follows a broken object, where it is a row as those before."""
        self._read_more()
        while self._is_at_value():
            value, end = self._value()
            if isinstance(value, dict):
                self.first = self.first or value
            yield self.line, value, self.text[:end]
            self._drop(end)
            if len(self.text) < _CHUNK // 2:
                self._read_more()

    def _is_at_value(self) -> bool:
        """Passes what stands between values. Whether a value follows, or should do so."""
        while True:
            self._drop(len(self.text) - len(self.text.lstrip(BETWEEN)))
            if self.text[:1] == ("]" if self.is_array else "["):
                # Another array or object may follow, as where several answers of an API are written to one file.
                self.is_array = not self.is_array
                self._drop(1)
            elif self.text or not self._read_more():
                return bool(self.text) or self.is_array

    def _value(self) -> tuple[Any, int]:
        """The value that the text begins with, and where it ends."""
        while True:
            try:
                return json.JSONDecoder().raw_decode(self.text)
            except (ValueError, RecursionError) as error:
                # Not at its end yet, or broken: more of the file tells which.
                if is_cut(self.text, error) and self._read_more():
                    continue
                if (written := python_object(self.text)) is not None:
                    return written
                following, lost = next_row(self.text, 0, self.first)
                if following is not None:
                    return Broken(f"not JSON ({error})", rows=lost), following
                if self._read_more():
                    continue
                self.is_array = False
                reason = f"not JSON from here on ({error})" if self.text else "the JSON array is cut short"
                return Broken(reason, rows=lost), len(self.text)

    def _read_more(self) -> bool:
        more = self.file.read(max(_CHUNK, len(self.text)))
        self.text += more
        return bool(more)

    def _drop(self, count: int) -> None:
        self.line += self.text.count("\n", 0, count)
        self.text = self.text[count:]
