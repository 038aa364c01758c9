"""The demo's tasks: many, different, checkable, and no longer or shorter for being hard."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import ArrayLike

from turnout.demo.tasks import FAMILIES, Task, generate


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    """As many as a claim about all of them needs."""
    return generate(len(FAMILIES) * 1800, seed=11)


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's, ties at their middle rank."""
    ranks = [np.unique(values, return_inverse=True, return_counts=True)[1:] for values in (one, other)]
    middles = [(np.cumsum(counts) - (counts - 1) / 2)[inverse] for inverse, counts in ranks]
    return float(np.corrcoef(middles[0], middles[1])[0, 1])


def test_the_same_seed_gives_the_same_tasks() -> None:
    """A run of the demo can be repeated; another seed gives others."""
    assert generate(60, seed=3) == generate(60, seed=3)
    assert not {task.prompt for task in generate(60, seed=3)} & {task.prompt for task in generate(60, seed=4)}


def test_no_prompt_comes_twice(tasks: list[Task]) -> None:
    """A held-out task was never trained on, and only a repeat can hit the cache."""
    assert len({task.prompt for task in tasks}) == len({task.id for task in tasks}) == len(tasks)


def test_every_family_comes_as_often_and_from_trivial_to_hard(tasks: list[Task]) -> None:
    """Three families, in equal shares, each from one step to twelve."""
    assert len(FAMILIES) == 3
    for family in FAMILIES:
        steps = [task.steps for task in tasks if task.family == family]
        assert len(steps) == len(tasks) // len(FAMILIES)
        assert min(steps) == 1
        assert max(steps) == 12


def test_an_id_tells_nothing(tasks: list[Task]) -> None:
    """Neither the family nor the number of steps stands in it."""
    assert tasks[5].id == "task-11-5"


def test_length_does_not_tell_the_steps(tasks: list[Task]) -> None:
    """Over all tasks the rank correlation of length and steps is next to nothing."""
    assert abs(rank_correlation([len(task.prompt) for task in tasks], [task.steps for task in tasks])) < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_length_does_not_tell_the_steps_within_a_family(family: str, tasks: list[Task]) -> None:
    """Nor does it in any one family."""
    tasks = [task for task in tasks if task.family == family]
    assert abs(rank_correlation([len(task.prompt) for task in tasks], [task.steps for task in tasks])) < 0.12


def test_prompts_are_of_a_size_people_type(tasks: list[Task]) -> None:
    """None is a stub or an essay, and easy ones come long as well as hard ones short."""
    lengths = [len(task.prompt) for task in tasks]
    assert min(lengths) > 15
    assert max(lengths) < 700
    assert any(len(task.prompt) > 500 and task.steps == 1 for task in tasks)
    assert any(len(task.prompt) < 200 and task.steps >= 9 for task in tasks)


def test_the_remarks_around_questions_vary(tasks: list[Task]) -> None:
    """No five words in a row stand in more than a few in a hundred of the prompts."""
    phrases: Counter[tuple[str, ...]] = Counter()
    for task in tasks:
        words = task.prompt.split()
        phrases.update({tuple(words[at : at + 5]) for at in range(len(words) - 4)})
    assert phrases.most_common(1)[0][1] < 0.15 * len(tasks)


def test_a_task_is_a_value() -> None:
    """Frozen, and equal by what it holds."""
    task = Task(id="a", family="words", prompt="p", answer="x", steps=1)
    assert task == Task(id="a", family="words", prompt="p", answer="x", steps=1)
    with pytest.raises(AttributeError):
        task.answer = "y"  # type: ignore[misc]
