"""Reasons: named, safely shown, the strongest first."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.ports.scoring import Query
from turnout.routing.features import NAMES, read_features
from turnout.routing.reasons import LONGEST_WORD, named_word, of_meaning, of_numbers, of_words, strongest


def test_the_strongest_come_first_and_what_rounds_to_nothing_is_none() -> None:
    """Either way."""
    parts = {"a": 0.0004, "b": -0.25, "c": 0.1, "d": -0.0006, "e": 0.0}
    assert strongest(parts, 9) == ["-0.250  b", "+0.100  c", "-0.001  d"]
    assert strongest(parts, 1) == ["-0.250  b"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("prove", "the word 'prove'"), ("don't", "the word \"don't\""), ("12", "the number '12'"),
        ("é", "the word 'é'"), ("\u202eabc", "the word '\\u202eabc'"),
        ("x" * 99, f"the word '{'x' * LONGEST_WORD}...'"),
    ],
)  # fmt: skip
def test_a_word_is_shown_safely(word: str, name: str) -> None:
    """What turns a terminal's text round is escaped, what is long is cut."""
    assert named_word(word.encode()) == name


def test_half_a_character_is_shown_too() -> None:
    """A long text is cut between bytes."""
    assert named_word("é".encode()[:1]) == "the word '\ufffd'"


def test_words_are_those_that_were_read() -> None:
    """One for each hash, in their order."""
    reading = read_features(Query.from_text("Prove it, PROVE 12"))
    actual = list(of_words(reading.folded, np.array([0.1, 0.2, 0.3, 0.4])))
    assert actual == [
        ("the word 'prove'", 0.1),
        ("the word 'it'", 0.2),
        ("the word 'prove'", 0.3),
        ("the number '12'", 0.4),
    ]
    assert reading.words[0] == reading.words[2]


def test_a_share_goes_by_its_count() -> None:
    """They are one sign; every number is told once by itself or by that."""
    reading = read_features(Query.from_text("not one of 12"))
    actual = list(of_numbers(reading.structure, np.arange(len(NAMES), dtype=np.float64)))
    assert [part for _, part in actual] == list(range(len(NAMES)))
    assert [name for name, _ in actual].count("count of negation words (1)") == 2
    assert actual[NAMES.index("word_length")][0] == "word_length"
    assert not [name for name, _ in actual if name.startswith("share of")]


def test_what_words_mean_names_the_strongest() -> None:
    """Where there is one."""
    assert of_meaning(b"donkey") == "'donkey' most of all in what its words mean"
    assert of_meaning(b"") == "what its words mean"
