"""Labelled rows whose cheap answers show whether they are right, and a scorer file trained on such rows."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

from tests.support.light_training import light_training
from turnout.logs.labelled import Logs
from turnout.training.cascade import FittedCascade, train_cascade

RIGHT, WRONG = "{0} + {1} = {2}.\nThe answer is {2}", "I am not sure. {0} + {1} = {3}, maybe"


def answer(first: int, second: int, *, right: bool) -> str:
    """What the cheap model says of the sum, rightly or wrongly."""
    return (RIGHT if right else WRONG).format(first, second, first + second, first + second + 7)


def rows(count: int = 120, *, telling: bool = True, seed: int = 3) -> list[dict[str, Any]]:
    """Four in ten are answered wrongly, whatever the question. telling: whether the answer shows it."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        first, second, right = chance.randrange(1, 90), chance.randrange(1, 90), chance.random() < 0.6
        shown = answer(first, second, right=right if telling else chance.random() < 0.6)
        made.append(
            {"prompt": f"What is {first} plus {second}?", "cheap_quality": float(right), "expensive_quality": 1.0,
             "cheap_answer": shown}
        )  # fmt: skip
    return made


@cache
def trained(*, telling: bool = True, cheap_model: str = "openai/small") -> FittedCascade:
    """A scorer with its verifier."""
    with light_training():
        return train_cascade(Logs.from_rows(rows(telling=telling), answers=True), cheap_model=cheap_model)


def paired(made: list[dict[str, Any]], seed: int = 5) -> list[dict[str, Any]]:
    """These rows with a second answer each: right ones agree. Half of the wrong ones look right."""
    chance = random.Random(seed)

    def said(row: dict[str, Any]) -> str:
        total = sum(int(word.strip("?")) for word in row["prompt"].split() if word.strip("?").isdigit())
        if row["cheap_quality"] > 0.5:
            return f"The answer is {total}"
        return f"{chance.choice(['The answer is', 'I am not sure, maybe'])} {total + chance.randrange(1, 30)}"

    return [{**row, "cheap_answer": said(row), "second_answer": said(row)} for row in made]


@cache
def trained_on_pairs(cheap_model: str = "openai/small") -> FittedCascade:
    """A scorer with its verifier, which knows pairs of answers."""
    with light_training():
        return train_cascade(Logs.from_rows(paired(rows()), answers=True), cheap_model=cheap_model)
