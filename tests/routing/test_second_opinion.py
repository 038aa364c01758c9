"""Whether two answers come to the same, and when a second one is worth its price."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.routing.second_opinion import agrees, final_answer
from turnout.routing.three_ways import BINS, QUANTILES, second_pays


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2 + 2 = 4\n#### 1,200", "1200"),
        ("So it is \\boxed{3.50}.", "3.5"),
        ("The answer is (B), for 12 is even.", "b"),
        ("**Answer: C**", "c"),
        ('{"reasoning": "60 x $1.25", "answer": "$1,234,567.50"}', "1234567.5"),
        ("#### 24\n**Final answer:**", "24"),
        ("First 12, then 13 apples.", "13"),
        ("Yes,  of\ncourse!", "yes of course"),
        ("#### -$1,200", "-1200"),
        ("The answer is 3.5 million people.", "3.5million"),
        ("The answer is 1/2.", "1 2"),
        ("It is 10 - 5 = 5, so 1e-5", "1e-5"),
        ("def f(x):\n    return x + 1", "def f x return x 1"),
        ("I'm sorry, I cannot say. 3", ""),
        ("", ""),
        ("\ud800 the answer is \x00", "the answer is"),
    ],
)
def test_what_an_answer_comes_to(text: str, told: str) -> None:
    """The word or number that its last telling marker names, else its last number, else all of it."""
    assert final_answer(text) == told


def test_two_ways_to_the_same_agree() -> None:
    """However they are worded."""
    assert agrees("12 * 2 = 24\n#### 24", "The answer is 24.0 apples.")
    assert not agrees("#### 24", "#### 25")
    assert agrees("Yes.", "yes")
    assert not agrees("Yes.", "No.")
    for one, other in (("#### -5", "#### 5"), ("answer is 1/2", "answer is 3/2"), ("answer: 10^2", "answer: 5^2")):
        assert not agrees(one, other)
    assert not agrees("The answer is 3.5 million", "The answer is 3.5 thousand")
    assert not agrees("Sorry, I cannot help", "Sorry, I cannot help")


def test_what_comes_to_nothing_agrees_with_nothing() -> None:
    """Not with another such answer either: neither says that the other is right."""
    assert not agrees("...", "?")


def test_a_second_answer_pays_where_it_moves_verdicts() -> None:
    """By more than a cheap call is worth at this threshold; one that moves none never does."""
    middling, split = np.full((BINS, QUANTILES), 0.2), np.tile(np.linspace(0.0, 0.4, QUANTILES), (BINS, 1))
    assert second_pays(0.5, 0.2, middling, split, 16.7)
    assert not second_pays(0.5, 0.2, middling, split, 2.0)
    assert not second_pays(0.5, 0.2, split, split, 1000.0)
    assert not second_pays(0.5, 0.6, middling, split, 16.7)
    assert not second_pays(0.5, 0.0, middling, split, 16.7)
