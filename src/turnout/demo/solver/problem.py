"""A problem as it is parsed out of a prompt: a state, and the steps that change it one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Step(Generic[S]):
    """One change of the state; `weight` is the load that it puts on a limited working memory."""

    description: str
    apply: Callable[[S], S]
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Problem(Generic[S]):
    """What to do step by step. Any step may be left out: then `answer` gives a wrong answer, not an error.

    `distort` makes a slip: a state near the right one with another answer. `note` is the text to write down of a step:
    the state before, its description, and the state after.
    """

    start: S
    steps: tuple[Step[S], ...]
    answer: Callable[[S], str]
    distort: Callable[[S, Random], S]
    note: Callable[[S, str, S], str] = lambda before, description, after: description

    @property
    def load(self) -> float:
        """The weights of all steps together."""
        return sum(step.weight for step in self.steps)


AnyProblem = Problem[Any]


def misread_number(number: int, rng: Random) -> int:
    """A number as it comes out when a carry is lost or a digit misread."""
    return number + rng.choice((-10, -2, -1, 1, 2, 10))


def question_after(prompt: str, start: int) -> str:
    """The text from `start` to the next question mark, or to the end where there is none."""
    end = prompt.find("?", start)
    return prompt[start:] if end < 0 else prompt[start : end + 1]
