"""Generates tasks with answers that can be checked: three families, each from one step to twelve."""

from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from turnout.demo.tasks import arithmetic, logic, words
from turnout.demo.tasks.answers import final_answer, matches
from turnout.demo.tasks.remarks import with_remarks

__all__ = ["FAMILIES", "Task", "check", "final_answer", "generate"]

# family -> the generator of its problems, and a length, in characters, in which even its long problems can be put
FAMILIES = {
    "arithmetic": (arithmetic.generate, 130),
    "logic": (logic.generate, 230),
    "words": (words.generate, 230),
}
MAX_LENGTH = 640
# how many of a hundred tasks take 1, 2, ... 12 steps
STEP_WEIGHTS = (20, 23, 20, 5, 3, 3, 4, 6, 6, 5, 3, 2)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A prompt and its answer. Neither `id` nor order nor length gives `steps` away; only the prompt's text does."""

    id: str
    family: str
    prompt: str
    answer: str
    steps: int


def generate(n: int, seed: int) -> list[Task]:
    """`n` tasks with prompts all different, the families in equal shares; the same seed gives the same tasks."""
    rng = Random(seed)
    families = list(islice(cycle(FAMILIES), n))
    rng.shuffle(families)
    tasks: dict[str, Task] = {}
    while len(tasks) < n:
        task = _random_task(f"task-{seed}-{len(tasks)}", families[len(tasks)], rng)
        tasks.setdefault(task.prompt, task)
    return list(tasks.values())


def check(task: Task, reply_text: str) -> bool:
    """Whether the final answer in a reply, however chatty, is the task's."""
    return matches(task.answer, reply_text)


def _random_task(task_id: str, family: str, rng: Random) -> Task:
    """Draws the length first, then the steps, then a phrasing that fits in that length."""
    generate_problem, shortest = FAMILIES[family]
    length = shortest + int((MAX_LENGTH - shortest) * rng.betavariate(1.2, 1.9))
    steps = rng.choices(range(1, len(STEP_WEIGHTS) + 1), STEP_WEIGHTS)[0]
    for _ in range(30):
        problem = generate_problem(steps, rng)
        fitting = [phrasing for phrasing in problem.phrasings if len(phrasing) <= length]
        if fitting:
            break
    question = rng.choice(fitting) if fitting else min(problem.phrasings, key=len)
    prompt = with_remarks(question, length, rng)
    return Task(id=task_id, family=family, prompt=prompt, answer=problem.answer, steps=steps)
