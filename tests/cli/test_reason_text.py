"""Reasons are told in words, every feature's, and never turned round."""

from __future__ import annotations

import re

import pytest

from turnout.cli.reason_text import reason_text
from turnout.routing.features import NAMES


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("+0.120  count of maths words (3)", "towards expensive by 0.120: maths words (3)"),
        ("-0.005  longest_word (10)", "towards cheap by 0.005: length of its longest word (10)"),
        ("-0.067  the group 'high_school'", "towards cheap by 0.067: the group 'high_school'"),
        ("+0.100  its system prompt", "towards expensive by 0.100: its system prompt"),
        (
            "+0.010  system_characters (40)",
            "towards expensive by 0.010: length of the system prompt, in characters (40)",
        ),
        ("-0.020  the word 'prove'", "towards cheap by 0.020: the word 'prove'"),
        ('-0.020  the word "don\'t"', 'towards cheap by 0.020: the word "don\'t"'),
        ("+0.100  count of upper (4)", "towards expensive by 0.100: capital letters (4)"),
        (
            "+0.100  count of function_word words (4)",
            "towards expensive by 0.100: small words such as 'the' and 'of' (4)",
        ),
        ("+0.100  share of digit", "towards expensive by 0.100: how many of its characters are digits"),
        (
            "+0.100  '_x' most of all in what its words mean",
            "towards expensive by 0.100: '_x' most of all in what its words mean",
        ),
        ("something else", "something else"),
    ],
)
def test_a_reason_says_which_way_and_what(reason: str, words: str) -> None:
    """The sign is a tier, the count stays, a group's own name too."""
    assert reason_text(reason) == words


def test_no_feature_is_told_by_its_internal_name() -> None:
    """No underscores, whatever features there are."""
    for name in NAMES:
        actual = reason_text(f"+0.100  {name} (2)")
        assert re.fullmatch(r"towards expensive by 0\.100: [^_]+ \(2\)", actual), actual
