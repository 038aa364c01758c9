"""Two skills in solving: both work a parsed problem through step by step; one of them loses the thread."""

import hashlib
import math
from dataclasses import dataclass
from random import Random
from typing import Any

from turnout.demo.solver.parsing import parse_problem
from turnout.demo.solver.problem import AnyProblem, Step


@dataclass(frozen=True, kw_only=True)
class Skill:
    """How well problems are solved.

    `capacity` is the load of steps that is done exactly, `capacity_spread` how far that varies by prompt. `slip` is
    the chance of a mistake on anything, to which every step adds `slip_per_step`. `hedges` is the chance that a reply
    beyond the capacity sounds unsure; `hedges_anyway` that any other does.
    """

    name: str
    capacity: float
    capacity_spread: float
    slip: float
    slip_per_step: float
    verbose: bool
    hedges: float = 0.0
    hedges_anyway: float = 0.0


CHEAP = Skill(
    name="cheap",
    capacity=4.6,
    capacity_spread=1.4,
    slip=0.015,
    slip_per_step=0.0,
    verbose=False,
    hedges=0.6,
    hedges_anyway=0.05,
)
EXPENSIVE = Skill(
    name="expensive", capacity=math.inf, capacity_spread=0.0, slip=0.01, slip_per_step=0.002, verbose=True
)
SKILLS = {skill.name: skill for skill in (CHEAP, EXPENSIVE)}


def solve(prompt: str, skill: Skill) -> str:
    """A chatty reply that ends with the answer, right or wrong; the same prompt always gets the same reply."""
    problem = parse_problem(prompt)
    if problem is None:
        return _small_talk(skill)
    rng = _seeded_rng(prompt, skill)
    notes, answer, overloaded = _worked(problem, skill, rng)
    reply = _reply(notes, answer, skill, rng)
    unsure = rng.random() < (skill.hedges if overloaded else skill.hedges_anyway)
    return f"{rng.choice(_HEDGES)} {reply}" if unsure else reply


def _seeded_rng(prompt: str, skill: Skill) -> Random:
    digest = hashlib.blake2b(f"{skill.name}\n{prompt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Random(int.from_bytes(digest))


def _worked(problem: AnyProblem, skill: Skill, rng: Random) -> tuple[list[str], str, bool]:
    """Notes on the steps taken, the answer that they lead to, and whether the problem was beyond the capacity."""
    spread = rng.random() + rng.random() - 1.0
    capacity = skill.capacity + skill.capacity_spread * spread
    slips = rng.random() < skill.slip + skill.slip_per_step * len(problem.steps)
    steps = problem.steps
    overloaded = problem.load > capacity
    if overloaded:
        steps, slips = _overloaded(problem, capacity, rng)
    state, notes = problem.start, []
    for number, step in enumerate(steps, start=1):
        before, state = state, step.apply(state)
        if slips and number == len(steps):
            state = problem.distort(state, rng)
        notes.append(problem.note(before, step.description, state))
    return notes, problem.answer(state), overloaded


def _overloaded(problem: AnyProblem, capacity: float, rng: Random) -> tuple[tuple[Step[Any], ...], bool]:
    """The steps that are done of a problem beyond the capacity, and whether the end result is distorted.

    Mostly everything after the last step that fits is forgotten; else some steps are skipped, or all are done
    and the result comes out wrong.
    """
    failure = rng.random()
    if failure < 0.2:
        return problem.steps, True
    fitting = _fitting_steps(problem, capacity)
    if failure < 0.8:
        return problem.steps[:fitting], False
    skipped = set(rng.sample(range(len(problem.steps)), min(2, len(problem.steps) - fitting)))
    return tuple(step for at, step in enumerate(problem.steps) if at not in skipped), False


def _fitting_steps(problem: AnyProblem, capacity: float) -> int:
    """How many steps from the first fit in the capacity; never all."""
    load = 0.0
    for count, step in enumerate(problem.steps):
        load += step.weight
        if load > capacity:
            return count
    return len(problem.steps) - 1


_OPENINGS = (
    "Let me look at this with some care. I begin by setting apart what the question really asks for from the "
    "story around it, since only a part of the text bears on the result. Once that is clear, I take the relevant "
    "facts one at a time, in the order in which they have to be used, and keep a note of where I stand after each.",
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
_HEDGES = (
    "I am not sure that I followed all of this, but here is what I get.",
    "This is a bit long, so I might have missed something.",
    "Probably, but please check it.",
)
_ENDINGS = ("Answer: {}", "**Answer: {}**", "So the answer is {}.", "The final answer is {}.")


def _reply(notes: list[str], answer: str, skill: Skill, rng: Random) -> str:
    ending = rng.choice(_ENDINGS).format(answer)
    if not skill.verbose:
        return f"Sure. {'; '.join(notes)}.\n{ending}"
    numbered = "\n".join(f"{number}. {note}" for number, note in enumerate(notes, start=1))
    return f"{rng.choice(_OPENINGS)}\n\n{numbered}\n\n{rng.choice(_CLOSINGS)}\n\n{ending}"


def _small_talk(skill: Skill) -> str:
    if not skill.verbose:
        return "Thanks for your message. I can help with small puzzles and calculations."
    return (
        "Thank you for your message. I am a small provider made for a demonstration: I can calculate, put people in "
        "order, tell liars from the honest and turn words around. "
        "If you send me a question of that kind, I will gladly work through it with you, step by step."
    )
