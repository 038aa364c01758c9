"""Tasks with answers that can be checked, in eight families, from one step to twelve."""

from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from turnout.demo.tasks import arithmetic, dates, inventory, logic, ordering, sequences, units, words
from turnout.demo.tasks.answers import final_answer, matches
from turnout.demo.tasks.wording import wrapped

__all__ = ["FAMILIES", "Task", "check", "final_answer", "generate"]

# what poses a family's problems, and the length, in characters, at which even its long problems can be told
FAMILIES = {
    "arithmetic": (arithmetic.pose, 110),
    "dates": (dates.pose, 190),
    "inventory": (inventory.pose, 190),
    "logic": (logic.pose, 300),
    "ordering": (ordering.pose, 200),
    "sequences": (sequences.pose, 150),
    "units": (units.pose, 200),
    "words": (words.pose, 230),
}
LONGEST = 640
# how many of a hundred tasks take 1, 2, ... 12 steps
STEPS = (20, 23, 20, 5, 3, 3, 4, 6, 6, 5, 3, 2)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A prompt and its answer. `id` and order tell nothing of `steps`, which only the prompt's text gives away."""

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
    tasks: list[Task] = []
    seen: set[str] = set()
    while len(tasks) < n:
        task = _drawn(f"task-{seed}-{len(tasks)}", families[len(tasks)], rng)
        if task.prompt not in seen:
            seen.add(task.prompt)
            tasks.append(task)
    return tasks


def check(task: Task, reply_text: str) -> bool:
    """Whether the final answer in a reply, however chatty, is the task's."""
    return matches(task.answer, reply_text)


def _drawn(name: str, family: str, rng: Random) -> Task:
    """A task whose length is drawn first, then its steps, then a telling that has room in that length."""
    pose, shortest = FAMILIES[family]
    length = shortest + int((LONGEST - shortest) * rng.betavariate(1.2, 1.9))
    steps = rng.choices(range(1, len(STEPS) + 1), STEPS)[0]
    for _ in range(30):
        posed = pose(steps, rng)
        fitting = [telling for telling in posed.tellings if len(telling) <= length]
        if fitting:
            break
    core = rng.choice(fitting) if fitting else min(posed.tellings, key=len)
    return Task(id=name, family=family, prompt=wrapped(core, length, rng), answer=posed.answer, steps=steps)
