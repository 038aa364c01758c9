"""The signs of an answer: what each text shows, and that no text is too much."""

from __future__ import annotations

import time

import numpy as np
import pytest

from turnout.ports.scoring import Query
from turnout.routing.answer_arithmetic import reckoned
from turnout.routing.answer_signs import NAMES, read_answer


def signs(answer: str, question: str = "What is 2 plus 3?") -> dict[str, float]:
    reading = read_answer(Query.from_text(question), answer)
    return dict(zip(NAMES, reading.numbers.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("2 + 3 = 5", 1, 0),
        ("2 + 3 * 4 = 14", 1, 0),
        ("2 + 3 = 6", 0, 1),
        ("$20 * 3 = $<<20*3=60>>60", 1, 0),
        ("1,200 / 3 = 400 and 10 / 3 = 3.33", 2, 0),
        ("20% x 50 = 10", 1, 0),
        ("7 / 0 = 1", 0, 0),
        ("no sum at all", 0, 0),
    ],
)
def test_arithmetic_is_checked(text: str, right: int, wrong: int) -> None:
    """Products before sums, units, currencies and rounding included; what cannot be reckoned is neither."""
    assert reckoned(text.lower().encode())[:2] == (right, wrong)


def test_an_answer_is_read_beside_its_question() -> None:
    """The numbers that it uses, the option that it chooses, how it ends."""
    assert signs("2 + 3 = 5. The answer is 5")["share of the question's numbers used"] == 1.0
    assert signs("It is 9")["share of the question's numbers used"] == 0.0
    options = "Which?\nA. red\nB. blue"
    assert signs("The answer is (B), blue", options)["the chosen is offered"] == 1.0
    assert signs("The answer is (C)", options)["the chosen is offered"] == 0.0
    assert signs("Sorry, I cannot say")["begins with a refusal"] == 1.0
    assert signs("It goes on and")["cut short"] == 1.0
    assert signs("```python\ndef f(x):\n    return x\n```")["code parses"] == 1.0
    assert signs("```python\ndef f(x:\n    return x\n```")["code does not parse"] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\udc80", "\x00" * 50, "=" * 9_000, "1+" * 9_000 + "=1", "((((" * 3_000, "9" * 9_000 + " = 1",
        "```python\ndef f():\n" + "(" * 900, "```python\ndef f():\n  return " + "-" * 900 + "1", "1 1 " * 3_000 + "=",
        "$(1) a" * 2_000, "é" * 9_000, "#### " * 2_000, "A) " * 3_000,
    ],
)  # fmt: skip
def test_no_text_is_too_much(text: str) -> None:
    """Finite numbers, whatever is sent, in bounded processor time."""
    began = time.process_time()
    reading = read_answer(Query.from_text("A. 1\nB. 2" + text[:100].replace("\udc80", "")), text)
    assert np.isfinite(reading.numbers).all()
    assert reading.numbers.shape == (len(NAMES),)
    # A pattern that goes back and forth takes minutes for these, not seconds.
    assert time.process_time() - began < 5.0
