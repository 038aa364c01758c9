"""The demo's traffic: several users who ask the app over HTTP, and ask some of it again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from random import Random

import httpx
from rich.progress import Progress

from turnout.demo.summary import RoutedAnswer
from turnout.demo.tasks import Task, check

USERS = ("ann", "ben", "cho", "dia", "eli", "fay", "gus", "hui")
CLIENTS, REPEATS = 16, 120
# USD per million input and output tokens, by model: the cheap one first.
PRICES = {"openai/demo-small": (0.15, 0.6), "openai/demo-large": (3.0, 12.0)}


async def send_traffic(
    url: str, tasks: Sequence[Task], rng: Random, progress: Progress
) -> tuple[list[RoutedAnswer], int]:
    """Sends every task once and `REPEATS` of them again; returns the answers and the number of failed requests.

    `CLIENTS` clients send at once, each its own queue in order; two of them share a user.
    """
    queues = [list(tasks[start::CLIENTS]) for start in range(CLIENTS)]
    for _ in range(REPEATS):
        # Repeated by the same user: one user's answers are not another's.
        queue = rng.choice(queues)
        queue.insert(rng.randint(len(queue) // 2, len(queue)), rng.choice(queue))
    bar = progress.add_task("traffic", total=len(tasks) + REPEATS)
    answers: list[RoutedAnswer | None] = []
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def send_queue(user: str, queue: Sequence[Task]) -> None:
            for task in queue:
                answers.append(await _send(client, user, task))
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for number, queue in enumerate(queues):
                group.create_task(send_queue(USERS[number % len(USERS)], queue))
    answered = [answer for answer in answers if answer is not None]
    return answered, len(answers) - len(answered)


async def _send(client: httpx.AsyncClient, user: str, task: Task) -> RoutedAnswer | None:
    """The answer to one request; None where its status is not 200."""
    body = {"model": "auto", "messages": [{"role": "user", "content": task.prompt}]}
    response = await client.post("/v1/chat/completions", json=body, headers={"x-user-id": user})
    if response.status_code != 200:
        return None
    completion = response.json()
    cache_status = response.headers["cache-status"]
    cache_hit = "; hit" in cache_status or "collapsed" in cache_status
    if cache_hit:
        input_usd, output_usd = PRICES[response.headers["x-turnout-model"]]
        usage = completion["usage"]
        cost_usd = (usage["prompt_tokens"] * input_usd + usage["completion_tokens"] * output_usd) / 1e6
    else:
        cost_usd = float(response.headers["x-turnout-cost-usd"])
    return RoutedAnswer(
        task_id=task.id,
        correct=check(task, completion["choices"][0]["message"]["content"]),
        tier=response.headers["x-turnout-tier"],
        two_calls=response.headers["x-turnout-reason"] in ("escalated", "cascade_fallback"),
        cache_hit=cache_hit,
        cost_usd=cost_usd,
        turnout_ms=_timing(response, "turnout"),
        inference_ms=_timing(response, "inference"),
    )


def _timing(response: httpx.Response, name: str) -> float:
    """The milliseconds of one entry of Server-Timing; 0 where there is none."""
    entry = re.search(rf"{name};dur=([0-9.]+)", response.headers["server-timing"])
    return float(entry[1]) if entry else 0.0
