"""What the other wires read of chat completions' chunks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


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
