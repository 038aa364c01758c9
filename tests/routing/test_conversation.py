"""What of a conversation is read: so much and no more, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.ports.scoring import Query
from turnout.routing.conversation import MOST_MESSAGES, MOST_PARTS, both_ends, joined_ends, last_turn, turns_of
from turnout.routing.features import read_features
from turnout.routing.tags import MOST_SYSTEM, known_tag

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


class Visits:
    """Counts what was looked at."""

    count = 0


class Watched:
    """A sequence whose items tell when they are looked at."""

    visits: Visits

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():  # type: ignore[misc]
            self.visits.count += 1
            yield item

    def __getitem__(self, at: Any) -> Any:
        self.visits.count += len(range(*at.indices(len(self)))) if isinstance(at, slice) else 1  # type: ignore[arg-type]
        return super().__getitem__(at)  # type: ignore[misc]


class Parts(Watched, list[Any]):
    """Parts that tell when they are looked at."""

    def __init__(self, items: list[Any], visits: Visits) -> None:
        super().__init__(items)
        self.visits = visits


class Messages(Watched, tuple[Any, ...]):
    """Messages that do the same."""


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def watched(*shape: tuple[str, int, int], part: Any) -> tuple[Messages, Visits]:
    """Messages of (role, how many of them, parts of each); no parts: a text."""
    visits = Visits()
    actual = Messages(
        {"role": role, "content": Parts([part] * parts, visits) if parts else "a"}
        for role, count, parts in shape
        for _ in range(count)
    )
    actual.visits = visits
    return actual, visits


@pytest.mark.parametrize("part", [text("a"), text(""), IMAGE, 7, {"type": "x", "text": [["a"]]}])
@pytest.mark.parametrize(
    "shape",
    [
        [("user", 400, 400)], [("system", 400, 400)], [("system", 200, 400), ("user", 200, 400)],
        [("user", 1, 50_000)], [("system", 1, 50_000), ("user", 1, 0)], [("system", 50_000, 0), ("user", 1, 0)],
        [("user", 50_000, 0)], [("developer", 5_000, 3), ("assistant", 5_000, 3)],
    ],
)  # fmt: skip
def test_so_many_messages_and_parts_are_looked_at(shape: list[tuple[str, int, int]], part: Any) -> None:
    """Many messages, many parts, many of both: once for the tag, once for the reading, never more than that."""
    messages, visits = watched(*shape, part=part)
    query = Query(messages=messages)
    for most, look in ((MOST_MESSAGES + MOST_SYSTEM + MOST_PARTS, lambda: known_tag(query, ())),
                       (MOST_MESSAGES + MOST_PARTS, lambda: read_features(query))):  # fmt: skip
        visits.count = 0
        look()
        # The first message is looked at by itself too.
        assert 0 < visits.count <= most + 1


def test_a_long_list_of_parts_gives_way_to_short_ones() -> None:
    """What is short is read whole; of the long one, both ends of what is left of the allowance."""
    short = [{"role": "user", "content": [text("a")] * 10} for _ in range(20)]
    messages = (*short, {"role": "user", "content": [text(str(at)) for at in range(5_000)]})
    turns = turns_of(messages)
    assert [len(texts) for _, texts, _ in turns] == [10] * 20 + [MOST_PARTS - 200]
    assert (turns[-1][1][0], turns[-1][1][-1]) == ("0", "4999")
    even = turns_of([{"role": "user", "content": [text("a")] * 300} for _ in range(4)])
    assert [len(texts) for _, texts, _ in even] == [MOST_PARTS // 4] * 4


def test_what_fits_the_allowance_is_read_whole() -> None:
    """Every message and every part, in order."""
    messages = [{"role": "user", "content": [text(f"{at} {part}") for part in range(4)]} for at in range(100)]
    assert [texts for _, texts, _ in turns_of(messages)] == [[f"{at} {part}" for part in range(4)] for at in range(100)]
    assert both_ends([1, 2, 3], 3) == [1, 2, 3]
    assert both_ends([1, 2, 3, 4, 5, 6], 3) == [1, 2, 6]
    assert both_ends([1, 2], 1) == [1]


@given(st.lists(st.text("ab\n", max_size=7), max_size=6), st.integers(1, 12))
def test_texts_are_joined_as_if_whole(texts: list[str], end: int) -> None:
    """The ends of the joined text, without joining it."""
    whole = "\n".join(texts)
    wanted = whole if len(whole) <= 2 * end else f"{whole[:end]}\n{whole[-end:]}"
    assert joined_ends(texts, end) == (wanted, len(whole))


def test_the_length_of_a_text_in_parts_is_told_whole() -> None:
    """Of a text whose middle was not read."""
    data, length, _ = last_turn(Query(messages=({"role": "user", "content": [text("é" * 10_000)] * 3},)))
    assert length == 30_002
    assert len(data) == 6_001
