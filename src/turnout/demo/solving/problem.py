"""A problem as it was read out of a prompt: a state, and the steps that change it one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class Step(Generic[S]):
    """One change of the state; `weight` is the load it puts on a limited working memory."""

    says: str
    apply: Callable[[S], S]
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Problem(Generic[S]):
    """What to do step by step. Any step may be left out: then `read` gives a wrong answer, not an error.

    `blur` is a slip of the pen: a state near the right one that reads differently. `shows` is what there is to
    note after every step, where that is short.
    """

    start: S
    steps: tuple[Step[S], ...]
    read: Callable[[S], str]
    blur: Callable[[S, Random], S]
    shows: Callable[[S], str] | None = None

    @property
    def load(self) -> float:
        """The weights of all steps together."""
        return sum(step.weight for step in self.steps)


AnyProblem = Problem[Any]


def misread(number: int, chance: Random) -> int:
    """A number as it comes out when a carry is lost or a digit misread."""
    return number + chance.choice((-10, -2, -1, 1, 2, 10))


def question_after(prompt: str, start: int) -> str:
    """The text from `start` to the next question mark, or to the end where there is none."""
    end = prompt.find("?", start)
    return prompt[start:] if end < 0 else prompt[start : end + 1]
