"""What is read of a request: bounded whatever is sent, and the whole conversation counted."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from turnout.ports.scoring import Query
from turnout.routing import lexicon
from turnout.routing.conversation import END_BYTES, MOST_PARTS
from turnout.routing.features import FEATURE_VERSION, NAMES, Reading, read_features


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
    reading = read_features(Query.from_text(character * 100_000 + " end"))
    assert len(reading.data) == 2 * END_BYTES + 1
    assert reading.data.endswith(b" end")
    assert number(reading, "characters") == pytest.approx(100_004)


def test_a_text_is_read_alike_as_parts() -> None:
    """One text, or the same in two parts."""
    plain, parted = (
        read_features(Query.from_text("one\ntwo")),
        read_features(Query(messages=(user(parts("one", "two")),))),
    )
    assert np.array_equal(plain.structure, parted.structure)
    assert plain.data == parted.data


def test_the_first_and_last_human_turns_are_read_and_the_rest_counted() -> None:
    """Human turns with their answers, their characters, the system prompt, tools, and the images that users show."""
    messages = (
        {"role": "system", "content": "Be kind."},
        user([*parts("look"), IMAGE, IMAGE]),
        {"role": "assistant", "content": None, "tool_calls": []},
        user("and now?"),
    )
    reading = read_features(Query(messages=messages, tools=3))
    assert reading.data == b"look\nand now?"
    wanted = {"turns": 3, "conversation_characters": 4, "system_characters": 8, "tools": 3, "images": 2}
    assert {name: number(reading, name) for name in wanted} == pytest.approx(wanted)


def test_without_a_user_the_last_turn_is_read() -> None:
    """An assistant's text."""
    assert read_features(Query(messages=({"role": "assistant", "content": "hello"},))).data == b"hello"


def test_of_many_turns_and_parts_the_first_and_last_are_read() -> None:
    """Sixty turns counted; the parts in the middle passed over."""
    turns = read_features(Query(messages=tuple(user(f"turn {at}") for at in range(10_000))))
    assert number(turns, "turns") == pytest.approx(119)
    assert turns.data == b"turn 0\nturn 9999"
    many = read_features(Query(messages=(user(parts(*map(str, range(50_000)))),)))
    assert many.data.count(b"\n") == MOST_PARTS - 1
    assert many.data.endswith(b"49999")


def test_words_under_a_tag_are_others_under_another() -> None:
    """And none without a tag: what is unknown adds no noise."""
    actual = [read_features(Query.from_text("so many words", tag=tag)).tagged_words for tag in ("a", "b", "")]
    assert len(actual[0]) == len(actual[1]) == 3
    assert not set(actual[0].tolist()) & set(actual[1].tolist())
    assert len(actual[2]) == 0


def test_each_number_is_what_its_name_says() -> None:
    """Worked out by hand on one text; whatever is not named is 0."""
    text = "What is the sum of 12 and 345?\n(A) Not 3\nB. something else\n\n    return x == `y`"
    counted = {
        "count of lower": 39, "count of upper": 4, "count of digit": 6, "count of blank": 18, "count of line_end": 4,
        "count of full_stop": 1, "count of question_mark": 1, "count of parenthesis": 1, "count of equals": 2,
        "count of backtick": 2, "count of what words": 1, "count of negation words": 1, "count of maths words": 1,
        "count of code words": 1, "count of function_word words": 5, "paragraphs": 1, "indents": 1, "returns": 1,
        "equalities": 1, "characters": 79, "words": 17, "sentences": 3, "lines": 5, "numbers": 3, "capitalised": 4,
        "options": 2, "option_bytes": (9 + 17) / 2, "stem_length": 79 - 26, "last_line_bytes": 19,
        "first_line_bytes": 30, "longest_word": 9, "longest_number": 3, "long_words": 1, "turns": 1,
    }  # fmt: skip
    shares = {name.replace("count", "share"): count / 79 for name, count in counted.items() if "count of" in name}
    shares |= {name: share * 79 / 17 for name, share in shares.items() if name.endswith("words")}
    ratios = {
        "word_length": 49 / 17, "words_per_sentence": 17 / 3, "long_word_share": 1 / 17, "distinct_word_share": 1,
        "number_share": 3 / 17, "capitalised_share": 4 / 17, "begins_with_capital": 1, "begins with a what word": 1,
    }  # fmt: skip
    actual = read_features(Query.from_text(text))
    wanted = {name: float(np.log1p(count)) for name, count in counted.items()} | shares | ratios
    assert {name: value for name, value in zip(NAMES, actual.structure, strict=True) if value} == pytest.approx(wanted)
    assert (len(actual.words), len(actual.letters)) == (17, 79 - 3)
    assert number(read_features(Query.from_text("Is it? ")), "sentences") == pytest.approx(2)
    assert read_features(Query.from_text("Is it? ")).structure[NAMES.index("ends_with_question")] == 1


def test_what_is_read_is_that_of_the_version() -> None:
    """A scorer file of this version was trained on just these numbers and hashes, so they stand still: whoever
    changes a feature, a word list or a bound raises FEATURE_VERSION, and writes this anew."""
    texts = [
        "",
        "Is it? ",
        "Why do cats purr?",
        "def f(x):\n    return x == 1",
        "日本語 café",
        "word, " * 3_000 + "end",
    ]
    texts.append("\n".join(lexicon.CATEGORIES.values()))
    said = [Query.from_text(text, tag="g") for text in texts]
    said.append(Query(messages=({"role": "system", "content": "Be kind."}, user("a"), user([*parts("b c"), IMAGE]))))
    actual = [read_features(query) for query in said]
    hashed = hashlib.sha256()
    for each in actual:
        for hashes in (each.words, each.tagged_words, each.letters):
            hashed.update(hashes.tobytes())
        # Rounded: the last digits of a logarithm are the machine's.
        hashed.update((np.round(each.structure, 6) + 0.0).tobytes())
    assert {FEATURE_VERSION: hashed.hexdigest()[:16]} == {3: "2a51cb80885e033e"}
