"""Parses a prompt into the problem that it holds."""

from turnout.demo.solver import arithmetic, logic, words
from turnout.demo.solver.problem import AnyProblem

MAX_PROMPT_LENGTH = 4000  # characters; bounds the numbers in a prompt, and what becomes of them
_PARSERS = (words.parse, logic.parse, arithmetic.parse)


def parse_problem(prompt: str) -> AnyProblem | None:
    """The problem in a prompt, or None where it holds none that can be solved."""
    if len(prompt) > MAX_PROMPT_LENGTH:
        return None
    return next((problem for parse in _PARSERS if (problem := parse(prompt)) is not None), None)
