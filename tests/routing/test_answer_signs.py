"""The signs of an answer: what each text shows, and that no text is too much."""

from __future__ import annotations

import time

import numpy as np
import pytest

from turnout.ports.scoring import Query
from turnout.routing.answer_arithmetic import plainly, reckoned
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
        ("(20 + 15) * 2 = 70 and 43 / (1 + 1 + 2) = 8", 1, 1),
        ("12 + 5*3 + 4*1.5 = $<<12+5*3+4*1.5=39>>39", 0, 1),
        ("22 + 4 x 12 = 22 + 48 = 70", 2, 0),
        ("(-48 + 21 - 3) / 3 = -10", 1, 0),
        ("8 laps x 0.25 km/lap = 2 km", 1, 0),
        ("$\\frac{90}{450} \\times 100 = 20$", 1, 0),
        ("11 ÷ 30 ≈ 37%", 1, 0),
        ("12 / 20 = 60", 1, 0),
        ("y - 3 + 5 = 12, 5x + 3 = 18", 0, 0),
        ("no sum at all", 0, 0),
    ],
)
def test_arithmetic_is_checked(text: str, right: int, wrong: int) -> None:
    """In brackets, chains, units, currencies, LaTeX, rounded; what cannot be reckoned is neither right nor wrong."""
    found = [equation.holds for equation in reckoned(plainly(text.lower().encode()))]
    assert (found.count(True), found.count(False)) == (right, wrong)


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


def test_numbers_are_known_by_where_they_come_from() -> None:
    """The question, in digits, words or per cents; an earlier result; or nowhere."""
    asked = "She has 40 eggs, sells 20% and twice eats 3. How many are left?"
    sound = signs("40 * 0.8 = 32. 2 * 3 = 6. 32 - 6 = 26", asked)
    assert sound["operands from nowhere"] == 0.0
    assert sound["share of the question's numbers reckoned with"] == 1.0
    assert sound["share of results used later"] == 1.0
    astray = signs("40 * 17 = 680. 680 / 9 = 75.56", asked)
    assert astray["operands from nowhere"] > 0.0
    assert astray["share of the question's numbers reckoned with"] < 0.5
    assert astray["results that are not whole"] > 0.0
    assert astray["not whole where a count is asked"] == 1.0 > sound["not whole where a count is asked"]


def test_a_word_counts_for_more_the_more_often_it_is_there() -> None:
    """Once for one, and ever less for one more."""
    reading = read_answer(Query.from_text("?"), "so so so it is so")
    assert reading.words == (b"so", b"it", b"is")
    assert reading.weights == pytest.approx([1 + np.log(4), 1.0, 1.0])


@pytest.mark.parametrize(
    ("answer", "broken"), [("5 * 8 = $<<5*8=40>>40", 0), ("5 * 8 = $<<5*8", 1), ("He pays 15,00", 1), ("2 + 3 =", 1)]
)
def test_an_answer_that_breaks_off_in_a_calculation_is_seen(answer: str, broken: int) -> None:
    """Though it ends with a digit, as right ones do."""
    assert signs(answer)["breaks off in a calculation"] == broken


def test_an_option_is_held_against_the_answers_own_numbers() -> None:
    """Rounded as it may be; and no letter behind the last marker is no choice."""
    options = "What is the cost?\nA. $6,756.00\nB. $52.00"
    right = signs("It costs 10000 / 1.48 = 6755.64. The answer is (A)", options)
    assert right["the chosen one's number is told"] == right["the last number is the chosen one's"] == 1.0
    other = signs("It costs 10000 / 1.48 = 6755.64. The answer is (B)", options)
    assert other["the chosen one's number is told"] == 0.0 < other["the last number is another option's"]
    assert signs("The answer is (None of these)", options)["no option behind the last marker"] == 1.0
    assert right["no option behind the last marker"] == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\udc80", "\x00" * 50, "=" * 9_000, "1+" * 9_000 + "=1", "((((" * 3_000, "9" * 9_000 + " = 1",
        "```python\ndef f():\n" + "(" * 900, "```python\ndef f():\n  return " + "-" * 900 + "1", "1 1 " * 3_000 + "=",
        "$(1) a" * 2_000, "1=1+1=" * 1_500, "(1+" * 3_000 + "=1", "1 aa aa aa + " * 900 + "=",
        "é" * 9_000, "#### " * 2_000, "A) " * 3_000,
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
