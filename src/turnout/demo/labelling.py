"""Labels the demo's tasks: each answered by both tiers through litellm, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from rich.progress import Progress

from turnout.context import Caller
from turnout.demo.summary import TierAnswer
from turnout.demo.tasks import Task, check
from turnout.records import Tier
from turnout.turnout import Turnout

CONCURRENCY = 16
TIERS: tuple[Tier, ...] = ("cheap", "expensive")

Answers = dict[Tier, dict[str, TierAnswer]]  # by tier, then by task id


async def answer_by_tier(config: Mapping[str, Any], tasks: Sequence[Task], progress: Progress) -> Answers:
    """Every task answered once by each tier, `CONCURRENCY` calls at a time."""
    answers: Answers = {tier: {} for tier in TIERS}
    bar = progress.add_task("asking both models", total=len(TIERS) * len(tasks))
    pending = iter(list(product(tasks, TIERS)))
    async with Turnout(config) as turnout:

        async def worker() -> None:
            for task, tier in pending:
                answer = await turnout.complete(task.prompt, model=tier, caller=Caller(user="demo"))
                answers[tier][task.id] = TierAnswer(
                    text=answer.text, correct=check(task, answer.text), cost_usd=float(answer.outcome.cost_usd)
                )
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(worker())
    return answers


def log_rows(tasks: Sequence[Task], answers: Answers) -> list[dict[str, Any]]:
    """The tasks as rows of labelled logs with their cheap answers, quality 1.0 or 0.0."""
    rows: list[dict[str, Any]] = [
        {"id": task.id, "prompt": task.prompt, "cheap_answer": answers["cheap"][task.id].text} for task in tasks
    ]
    for row, tier in product(rows, TIERS):
        answer = answers[tier][row["id"]]
        row |= {f"{tier}_quality": float(answer.correct), f"{tier}_usd": answer.cost_usd}
    return rows
