"""What the other wires read of chat completions' chunks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.openai.answers import load_foreign


def first_choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer's first choice; empty where it has none. The other wires know no second."""
    for choice in answer.get("choices") or ():
        if choice.get("index", 0) == 0:
            return choice  # type: ignore[no-any-return]
    return {}


def text_in(value: Any) -> str:
    """The text of a message's or a delta's field: some providers send parts where OpenAI sends a text."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else ()
    return "".join(part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str))


@dataclass(frozen=True, slots=True)
class ToolCallPiece:
    """A piece of one tool call. number: which call of the answer, from 0. began: whether it is the call's first."""

    number: int
    id: str
    name: str
    arguments: str
    began: bool


_STRUCTURE = re.compile(r'["\\{}\[\]]')


class JsonText:
    """A text that comes in pieces. `is_whole`: whether it is JSON as far as it goes, found in linear time: it is parsed
    only where each bracket and string is closed, and where that failed, again when it is twice as long."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = self._parsed = self._depth = 0
        self._in_string = self._escapes = self._whole = False

    def add(self, piece: str) -> None:
        if self._whole and not piece.strip():
            return
        self._pieces.append(piece)
        self._length += len(piece)
        self._whole = False
        self._scan(piece)

    def _scan(self, piece: str) -> None:
        at = 1 if self._escapes and piece else 0
        self._escapes = self._escapes and not piece
        while found := _STRUCTURE.search(piece, at):
            mark, at = found[0], found.end()
            if mark == '"':
                self._in_string = not self._in_string
            elif mark == "\\":
                # What it escapes may stand in the next piece.
                self._escapes, at = at == len(piece), at + 1
            elif not self._in_string:
                self._depth += 1 if mark in "{[" else -1

    @property
    def is_whole(self) -> bool:
        if not self._whole and self._depth == 0 and not self._in_string and self._length >= max(1, 2 * self._parsed):
            self._parsed = self._length
            self._whole = _is_json("".join(self._pieces))
        return self._whole


def _is_json(text: str) -> bool:
    try:
        load_foreign(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        return False
    return True


class ToolCallPieces:
    """Tells the pieces of an answer's tool calls apart, each of which has its own index. A call begins when its name is
    here: some servers tell it after the first of the arguments."""

    def __init__(self) -> None:
        # By index: the number and the id of the call that its pieces belong to.
        self._calls: dict[int, tuple[int, str]] = {}
        self._begun: set[int] = set()
        # The first arguments of those without a name.
        self._unnamed: dict[int, str] = {}

    def feed(self, calls: Iterable[Mapping[str, Any]] | None) -> Iterator[ToolCallPiece]:
        """The pieces of one delta's `tool_calls`."""
        for call in calls or ():
            function, index = call.get("function") or {}, call["index"]
            known = self._calls.setdefault(index, (len(self._calls), call.get("id") or ""))
            name, arguments = function.get("name") or "", function.get("arguments") or ""
            if began := index not in self._begun:
                arguments = self._unnamed.pop(index, "") + arguments
                if not name:
                    self._unnamed[index] = arguments
                    continue
                self._begun.add(index)
            yield ToolCallPiece(*known, name, arguments, began)
