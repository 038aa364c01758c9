"""What is read of a request: bounded whatever is sent, and the whole conversation counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from turnout.ports import Query
from turnout.routing.conversation import END_BYTES, END_ITEMS
from turnout.routing.features import NAMES, Reading, read


def number(reading: Reading, name: str) -> float:
    """A count, as a count."""
    return float(np.expm1(reading.structure[NAMES.index(name)]))


def user(content: Any) -> dict[str, Any]:
    """A user's turn."""
    return {"role": "user", "content": content}


def parts(*texts: str) -> list[dict[str, str]]:
    """Text parts."""
    return [{"type": "text", "text": text} for text in texts]


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


@pytest.mark.parametrize("character", ["a", "é", "日", "\U0001f600", "\ud800"])
def test_a_long_text_is_read_in_so_many_bytes(character: str) -> None:
    """However many bytes a character takes: head and tail, and its length told."""
    reading = read(Query.from_text(character * 100_000 + " end"))
    assert len(reading.data) == 2 * END_BYTES + 1
    assert reading.data.endswith(b" end")
    assert number(reading, "bytes") == pytest.approx(100_004)


def test_a_text_is_read_alike_as_parts() -> None:
    """One text, or the same in two parts."""
    plain, parted = read(Query.from_text("one\ntwo")), read(Query(messages=(user(parts("one", "two")),)))
    assert np.array_equal(plain.structure, parted.structure)
    assert plain.data == parted.data


def test_the_last_user_turn_is_read_and_the_rest_counted() -> None:
    """Turns, their characters, the system prompt, tools, and images wherever they stand."""
    messages = (
        {"role": "system", "content": "Be kind."},
        user([*parts("look"), IMAGE, IMAGE]),
        {"role": "assistant", "content": None, "tool_calls": []},
        user("and now?"),
    )
    reading = read(Query(messages=messages, tools=3))
    assert reading.data == b"and now?"
    told = {name: number(reading, name) for name in ("turns", "conversation_bytes", "system_bytes", "tools", "images")}
    assert told == pytest.approx({"turns": 3, "conversation_bytes": 4, "system_bytes": 8, "tools": 3, "images": 2})


def test_without_a_user_the_last_turn_is_read() -> None:
    """An assistant's text."""
    assert read(Query(messages=({"role": "assistant", "content": "hello"},))).data == b"hello"


def test_of_many_turns_and_parts_the_first_and_last_are_read() -> None:
    """All turns counted; the parts in the middle passed over."""
    turns = read(Query(messages=tuple(user(f"turn {at}") for at in range(10_000))))
    assert number(turns, "turns") == pytest.approx(10_000)
    assert turns.data == b"turn 9999"
    many = read(Query(messages=(user(parts(*map(str, range(50_000)))),)))
    assert many.data.count(b"\n") == 2 * END_ITEMS - 1
    assert many.data.endswith(b"49999")


def test_words_under_a_tag_are_others_under_another() -> None:
    """And none without a tag: what is unknown adds no noise."""
    told = [read(Query.from_text("so many words", tag=tag)).tagged_words for tag in ("a", "b", "")]
    assert len(told[0]) == len(told[1]) == 3
    assert not set(told[0].tolist()) & set(told[1].tolist())
    assert len(told[2]) == 0
