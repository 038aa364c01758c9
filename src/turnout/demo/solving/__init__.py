"""Reads problems out of prompts: one module a family, none of which knows how the prompts were made."""

from turnout.demo.solving import arithmetic, dates, inventory, logic, ordering, sequences, units, words
from turnout.demo.solving.problem import AnyProblem, Problem, Step

__all__ = ["AnyProblem", "Problem", "Step", "understand"]

LONGEST_PROMPT = 4000  # characters; keeps the numbers in it, and what becomes of them, small

_READERS = (
    words.read,
    dates.read,
    logic.read,
    ordering.read,
    units.read,
    inventory.read,
    sequences.read,
    arithmetic.read,
)


def understand(prompt: str) -> AnyProblem | None:
    """The problem in a prompt, or None where there is none that can be solved."""
    if len(prompt) > LONGEST_PROMPT:
        return None
    return next((problem for read in _READERS if (problem := read(prompt)) is not None), None)
