"""Two providers' minds: both read a problem out of a prompt and work through it; one of them loses the thread."""

import hashlib
import math
from dataclasses import dataclass
from random import Random
from typing import Any

from turnout.demo.solving import AnyProblem, Step, understand

__all__ = ["CHEAP", "EXPENSIVE", "SKILLS", "Skill", "solve"]


@dataclass(frozen=True, kw_only=True)
class Skill:
    """How much one can keep in mind: `span` is the load of steps done exactly, `edge` how far that varies by prompt.

    `slip` is the chance of a mistake on anything, to which every step adds `slip_per_step`.
    """

    name: str
    span: float
    edge: float
    slip: float
    slip_per_step: float
    verbose: bool


CHEAP = Skill(name="cheap", span=4.6, edge=1.4, slip=0.015, slip_per_step=0.0, verbose=False)
EXPENSIVE = Skill(name="expensive", span=math.inf, edge=0.0, slip=0.01, slip_per_step=0.002, verbose=True)
SKILLS = {skill.name: skill for skill in (CHEAP, EXPENSIVE)}


def solve(prompt: str, skill: Skill) -> str:
    """A chatty reply that ends with the answer, right or wrong; the same prompt always gets the same reply."""
    chance = _chance(prompt, skill)
    problem = understand(prompt)
    if problem is None:
        return _small_talk(skill)
    notes, answer = _worked(problem, skill, chance)
    return _told(notes, answer, skill, chance)


def _chance(prompt: str, skill: Skill) -> Random:
    digest = hashlib.blake2b(f"{skill.name}\n{prompt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Random(int.from_bytes(digest))


def _worked(problem: AnyProblem, skill: Skill, chance: Random) -> tuple[list[str], str]:
    """Notes on the steps taken, and the answer they lead to."""
    reach = skill.span + skill.edge * (chance.random() + chance.random() - 1.0) if skill.edge else skill.span
    slips = chance.random() < skill.slip + skill.slip_per_step * len(problem.steps)
    steps = problem.steps
    if problem.load > reach:
        steps, slips = _overloaded(problem, reach, chance)
    state = problem.start
    notes = []
    for step in steps:
        state = step.apply(state)
        notes.append(f"{step.says}: {problem.shows(state)}" if problem.shows else step.says)
    if slips:
        state = problem.blur(state, chance)
    return notes, problem.read(state)


def _overloaded(problem: AnyProblem, reach: float, chance: Random) -> tuple[tuple[Step[Any], ...], bool]:
    """What is done of a problem that does not fit in the mind: the steps, and whether the end is blurred.

    Mostly everything after the last step that fits is forgotten; else some steps are skipped, or all are done
    and the result comes out wrong.
    """
    manner = chance.random()
    if manner < 0.2:
        return problem.steps, True
    fits = _fitting(problem, reach)
    if manner < 0.8:
        return problem.steps[:fits], False
    skipped = set(chance.sample(range(len(problem.steps)), min(2, len(problem.steps) - fits)))
    return tuple(step for place, step in enumerate(problem.steps) if place not in skipped), False


def _fitting(problem: AnyProblem, reach: float) -> int:
    """How many steps from the first fit in the reach; never all."""
    load = 0.0
    for count, step in enumerate(problem.steps):
        load += step.weight
        if load > reach:
            return count
    return len(problem.steps) - 1


_OPENINGS = (
    "Let me look at this with some care. I begin by setting apart what the question really asks for from the "
    "story around it, since only a part of the text bears on the result. Once that is clear, I take the relevant "
    "facts one at a time, in the order in which they have to be used, and keep a note of where I stand after each.",
    "Happy to help with this one. First of all I read the whole text and pick out the facts that matter, leaving "
    "aside the remarks that only set the scene. With those facts in front of me, I go through them one after the "
    "other, writing each step down, so that it is easy to see how the result comes about and to check it later.",
    "Thank you for the question. I would like to be thorough here, so I work in small steps rather than jumping to "
    "the result. The surrounding remarks can be put aside, as they do not change anything; what counts is the core "
    "of the problem, which I follow step by step below, keeping track of the intermediate result all the way.",
)
_CLOSINGS = (
    "Going through the steps a second time from the top leads to the same result, and nothing in the text "
    "contradicts it, so I am confident that it is right. If any part of it is unclear, I can explain it further.",
    "As a check I went over the steps once more and compared each with the wording of the question; they agree. "
    "Should you want to see any one of the steps in more detail, just let me know and I will spell it out.",
)
_ENDINGS = ("Answer: {}", "**Answer: {}**", "So the answer is {}.", "The final answer is {}.")


def _told(notes: list[str], answer: str, skill: Skill, chance: Random) -> str:
    ending = chance.choice(_ENDINGS).format(answer)
    if not skill.verbose:
        return f"Sure. {'; '.join(notes)}.\n{ending}"
    listed = "\n".join(f"{place}. {note}" for place, note in enumerate(notes, start=1))
    return f"{chance.choice(_OPENINGS)}\n\n{listed}\n\n{chance.choice(_CLOSINGS)}\n\n{ending}"


def _small_talk(skill: Skill) -> str:
    if not skill.verbose:
        return "Thanks for your message. I can help with small puzzles and calculations."
    return (
        "Thank you for your message. I am a small provider made for a demonstration: I can calculate, count days, "
        "convert units, put people in order, turn words around, follow a stock and draw simple conclusions. "
        "If you send me a question of that kind, I will gladly work through it with you, step by step."
    )
