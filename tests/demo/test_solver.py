"""The two skills: both really solve, one only what is within its capacity."""

import math
import re
import subprocess
import sys
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from turnout.demo.solver.parsing import parse_problem
from turnout.demo.solver.skills import CHEAP, EXPENSIVE, Skill, solve
from turnout.demo.tasks import FAMILIES, Task, check, generate


@dataclass(frozen=True)
class Solved:
    """Tasks, how many steps each takes, and of each skill its replies and which of them are right."""

    tasks: list[Task]
    steps: NDArray[np.int64]
    replies: dict[str, list[str]]
    good: dict[str, NDArray[np.bool_]]


@pytest.fixture(scope="module")
def solved_tasks() -> Solved:
    """What both skills reply to 2,400 tasks."""
    tasks = generate(2400, seed=21)
    replies = {skill.name: [solve(task.prompt, skill) for task in tasks] for skill in (CHEAP, EXPENSIVE)}
    good = {
        name: np.array([check(task, reply) for task, reply in zip(tasks, of_skill, strict=True)])
        for name, of_skill in replies.items()
    }
    return Solved(tasks, np.array([task.steps for task in tasks]), replies, good)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_skill_without_limits_solves_every_task_from_its_prompt_alone(family: str, solved_tasks: Solved) -> None:
    """The prompt holds all that is needed, and its parsed steps are as many as the task was generated with."""
    faultless = Skill(name="faultless", capacity=math.inf, capacity_spread=0, slip=0, slip_per_step=0, verbose=False)
    for task in solved_tasks.tasks:
        if task.family == family:
            assert check(task, solve(task.prompt, faultless)), task
            problem = parse_problem(task.prompt)
            assert problem is not None
            assert len(problem.steps) == task.steps, task


def test_the_solver_knows_nothing_of_how_tasks_are_generated() -> None:
    """A provider's process never loads the generator, nor anything slow."""
    modules = subprocess.run(
        [sys.executable, "-c", "import sys, turnout.demo.provider_server; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "turnout.demo.solver.skills" in modules
    assert not [name for name in modules if name.startswith("turnout.demo.tasks")]
    assert not {"litellm", "sklearn", "numpy", "openai"} & set(modules)


def test_the_expensive_one_solves_nearly_everything(solved_tasks: Solved) -> None:
    """About 97 to 98 in a hundred, and not everything."""
    assert 0.955 < solved_tasks.good["expensive"].mean() < 0.995


def test_the_cheap_one_solves_what_takes_few_steps(solved_tasks: Solved) -> None:
    """Nearly all up to three steps, few from six on, in between some; about two thirds of the mix."""
    assert solved_tasks.good["cheap"][solved_tasks.steps <= 3].mean() > 0.95
    assert 0.4 < solved_tasks.good["cheap"][solved_tasks.steps == 4].mean() < 0.95
    assert solved_tasks.good["cheap"][solved_tasks.steps >= 6].mean() < 0.15
    assert 0.60 < solved_tasks.good["cheap"].mean() < 0.72
    assert solved_tasks.good["cheap"].mean() < 0.8 * solved_tasks.good["expensive"].mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_part_of_the_gap(family: str, solved_tasks: Solved) -> None:
    """In none is the cheap one as good as the expensive one, or of no use."""
    of_family = np.array([task.family == family for task in solved_tasks.tasks])
    assert 0.5 < solved_tasks.good["cheap"][of_family].mean() < 0.8 < solved_tasks.good["expensive"][of_family].mean()


def test_length_does_not_tell_what_the_cheap_one_fails(solved_tasks: Solved) -> None:
    """The area under the curve of length for failing lies around one half."""
    lengths = np.array([len(task.prompt) for task in solved_tasks.tasks])
    failed, solved = lengths[~solved_tasks.good["cheap"]], lengths[solved_tasks.good["cheap"]]
    longer = (failed[:, None] > solved).mean() + (failed[:, None] == solved).mean() / 2
    assert 0.45 < longer < 0.55


def test_a_reply_grows_with_the_steps_but_a_hard_one_stays_affordable(solved_tasks: Solved) -> None:
    """Twelve steps make at most 1.4 times the reply of one step; the cheap one is the terser."""
    sizes = {name: np.array([len(reply) for reply in replies]) for name, replies in solved_tasks.replies.items()}
    assert (
        1.1
        < sizes["expensive"][solved_tasks.steps >= 10].mean() / sizes["expensive"][solved_tasks.steps == 1].mean()
        < 1.4
    )
    assert sizes["cheap"].mean() < 0.3 * sizes["expensive"].mean()


@pytest.mark.parametrize(
    ("prompt", "steps"),
    [
        ("What is (7 + 5) * 3 - 4?", ["7 + 5 = 12", "12 * 3 = 36", "36 - 4 = 32"]),
        ("Start with 8: halve, minus 1, times 5. Result?", ["8 / 2 = 4", "4 - 1 = 3", "3 * 5 = 15"]),
    ],
)
def test_a_calculation_is_written_out_as_equations(prompt: str, steps: list[str]) -> None:
    """Each step as one that can be checked."""
    faultless = Skill(name="faultless", capacity=math.inf, capacity_spread=0, slip=0, slip_per_step=0, verbose=False)
    assert f"Sure. {'; '.join(steps)}.\n" in solve(prompt, faultless)


def test_a_slip_shows_as_an_equation_that_does_not_hold() -> None:
    """The step that went wrong stands in the reply, and comes to the answer that is given."""
    slipping = Skill(name="slips", capacity=math.inf, capacity_spread=0, slip=1, slip_per_step=0, verbose=False)
    for prompt in ("What is 7 + 5?", "What is 3 * (7 + 5)?", "Start with 8: halve, minus 1. Result?"):
        reply = solve(prompt, slipping)
        a, operator, b, result = re.findall(r"(\d+) ([-+*/]) (\d+) = (-?\d+)", reply)[-1]
        assert {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[operator] != int(result)
        assert re.search(rf"\n.*answer\D*{result}\b", reply, re.IGNORECASE)


def test_sounding_unsure_tells_something_but_gives_nothing_away(solved_tasks: Solved) -> None:
    """More often where the reply is wrong, yet on right ones too, and not on every wrong one."""
    unsure = np.array([not reply.startswith("Sure.") for reply in solved_tasks.replies["cheap"]])
    assert 0.4 < unsure[~solved_tasks.good["cheap"]].mean() < 0.7
    assert 0.02 < unsure[solved_tasks.good["cheap"]].mean() < 0.15
    assert not any("not sure" in reply for reply in solved_tasks.replies["expensive"])


def test_the_same_prompt_always_gets_the_same_reply(solved_tasks: Solved) -> None:
    """Right or wrong: what a model gets wrong once, it gets wrong again."""
    assert [solve(task.prompt, CHEAP) for task in solved_tasks.tasks[:200]] == solved_tasks.replies["cheap"][:200]


@pytest.mark.parametrize(
    "prompt",
    ["", "Tell me about the sea.", "9" * 5000, "What is 1 + 1? " * 400, "(" * 300, "1+" * 900 + "1", "\ud800"],
)
def test_a_prompt_without_a_task_gets_a_polite_answer(prompt: str) -> None:
    """Also one that is too long, too deep or not valid text."""
    assert "message" in solve(prompt, CHEAP)
    assert len(solve(prompt, EXPENSIVE)) > len(solve(prompt, CHEAP))


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is 17 + 4?", "21"),
        ("hey, (7 + 5) * 3 - 4 please", "32"),
        ("Take the word 'turnout' and reverse it. What do you get?", "tuonrut"),
        ("Ann is older than Bob, and Cem is younger than Bob. Who is the youngest?", "Cem"),
    ],
)
def test_a_question_typed_by_hand_is_solved_too(prompt: str, answer: str) -> None:
    """What a visitor of the served demo may try."""
    assert answer in solve(prompt, EXPENSIVE)


def test_no_mangled_prompt_makes_it_fall_over(solved_tasks: Solved) -> None:
    """Cut, joined and shuffled prompts get some reply."""
    rng = Random(1)
    for task, other in zip(solved_tasks.tasks[:800], solved_tasks.tasks[800:], strict=False):
        words = task.prompt.split(" ")
        rng.shuffle(words)
        cut = rng.randrange(len(task.prompt))
        for prompt in (task.prompt[cut:], task.prompt[:cut] + other.prompt[cut:], " ".join(words)):
            assert solve(prompt, CHEAP)
