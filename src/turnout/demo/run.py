"""The demo from end to end: two providers, labelled logs, a trained scorer, an app, traffic, a summary."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shlex
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from turnout.context import Caller
from turnout.demo.process import ServerProcess
from turnout.demo.provider_process import ProviderProcess
from turnout.demo.summary import Answered, Asked, summarise, told
from turnout.demo.tasks import Task, check, generate
from turnout.logs import labelled as labelled_logs
from turnout.records import Tier
from turnout.training import fit
from turnout.turnout import Turnout

TRAINING, HELD_OUT, REPEATS = 700, 300, 120
USERS = ("ann", "ben", "cho", "dia", "eli", "fay", "gus", "hui")
CONCURRENCY = 16
# A little above the 0.95 that the demo promises: held-out prompts are never quite the training ones.
KEEP_QUALITY = 0.97


def settings(cheap_url: str, expensive_url: str, scorer: str) -> dict[str, Any]:
    """Two models, one twenty times dearer than the other, and a wish."""
    return {
        "tiers": {"cheap": {"models": ["openai/demo-small"]}, "expensive": {"models": ["openai/demo-large"]}},
        "models": {
            "openai/demo-small": {
                "params": {"api_base": cheap_url},
                "input_usd_per_million": 0.15,
                "output_usd_per_million": 0.6,
            },
            "openai/demo-large": {
                "params": {"api_base": expensive_url},
                "input_usd_per_million": 3,
                "output_usd_per_million": 12,
            },
        },
        "routing": {"scorer": scorer, "keep_quality": KEEP_QUALITY},
        "identity": {"user_header": "x-user-id"},
    }


def run(*, seed: int, quiet: bool, serve: bool) -> dict[str, Any]:
    """Plays the demo and gives its summary. `quiet`: nothing on standard output."""
    out = Console(stderr=quiet, highlight=False)
    with ExitStack() as stack:
        progress = stack.enter_context(_progress(out))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-demo-")))
        cheap = stack.enter_context(ProviderProcess("cheap"))
        expensive = stack.enter_context(ProviderProcess("expensive"))
        tasks = generate(TRAINING + HELD_OUT, seed)
        training, held_out = tasks[:TRAINING], tasks[TRAINING:]

        plain = settings(cheap.base_url, expensive.base_url, "default")
        logs, both = asyncio.run(_labelled(plain, training, held_out, progress))
        out.print(f"asked both models {TRAINING} training tasks through litellm, and checked the answers")
        fitted = fit.train(labelled_logs.Logs.from_rows(logs))
        file = folder / "demo.turnout"
        fitted.save(file)
        out.print("trained the scorer on these labelled logs")

        config = folder / "settings.json"
        config.write_text(json.dumps(settings(cheap.base_url, expensive.base_url, str(file))))
        with ServerProcess("turnout.demo.serving", "--config", str(config)) as app:
            url = f"http://127.0.0.1:{app.told['port']}"
            out.print(
                f"mounted Turnout in a FastAPI app: {len(USERS)} users, {HELD_OUT} held-out tasks, {REPEATS} repeats"
            )
            traffic, errors = asyncio.run(_traffic(url, held_out, random.Random(seed), progress))
            summary = summarise(traffic, errors, both["cheap"], both["expensive"])
            progress.stop()
            if not quiet:
                out.print(told(summary), markup=False, soft_wrap=True)
            if serve:
                _leave_up(url, out, _one_of_each(held_out, traffic))
    return summary


@contextmanager
def _progress(out: Console) -> Iterator[Progress]:
    """Bars on a terminal, nothing in a pipe."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bars:
        yield bars


async def _labelled(
    config: dict[str, Any], training: Sequence[Task], held_out: Sequence[Task], progress: Progress
) -> tuple[list[dict[str, Any]], dict[Tier, dict[str, Asked]]]:
    """Each training task answered by both models, as a log row; and each held-out task by both, to compare."""
    tasks = [*training, *held_out]
    config = {**config, "cache": {"enabled": False}, "routing": {"threshold": 0.5}}
    asked: dict[Tier, dict[str, Asked]] = {"cheap": {}, "expensive": {}}
    bar = progress.add_task("asking both models", total=2 * len(tasks))
    async with Turnout(config) as turnout:

        async def ask(task: Task, tier: Tier) -> None:
            answer = await turnout.complete(task.prompt, model=tier, caller=Caller(user="demo"))
            good = check(task, answer.text)
            asked[tier][task.id] = Asked(good=good, cost_usd=float(answer.outcome.cost_usd))
            progress.advance(bar)

        tiers: tuple[Tier, ...] = ("cheap", "expensive")
        await _all([_bound(ask, task, tier) for task in tasks for tier in tiers])
    rows = [
        {
            "id": task.id,
            "prompt": task.prompt,
            "cheap_quality": float(asked["cheap"][task.id].good),
            "expensive_quality": float(asked["expensive"][task.id].good),
            "cheap_usd": asked["cheap"][task.id].cost_usd,
            "expensive_usd": asked["expensive"][task.id].cost_usd,
        }
        for task in training
    ]
    kept = {task.id for task in held_out}
    return rows, {tier: {k: v for k, v in by.items() if k in kept} for tier, by in asked.items()}


def _bound(ask: Callable[[Task, Tier], Awaitable[None]], task: Task, tier: Tier) -> Callable[[], Awaitable[None]]:
    return lambda: ask(task, tier)


async def _all(work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Does it all, `CONCURRENCY` at a time."""
    waiting = iter(work)

    async def worker() -> None:
        for one in waiting:
            await one()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())


async def _traffic(
    url: str, tasks: Sequence[Task], rng: random.Random, progress: Progress
) -> tuple[list[Answered], int]:
    """Every user's requests one after another, all users and several clients each at once."""
    queues: list[list[Task]] = [[] for _ in range(CONCURRENCY)]
    for number, task in enumerate(tasks):
        queues[number % CONCURRENCY].append(task)
    for _ in range(REPEATS):
        # Asked again by the same user: one user's answers are not another's.
        queue = rng.choice(queues)
        queue.insert(rng.randint(len(queue) // 2, len(queue)), rng.choice(queue))
    bar = progress.add_task("traffic", total=len(tasks) + REPEATS)
    answered: list[Answered] = []
    errors = 0
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def client_of(user: str, queue: Sequence[Task]) -> None:
            nonlocal errors
            for task in queue:
                got = await _ask(client, user, task)
                if got is None:
                    errors += 1
                else:
                    answered.append(got)
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for number, queue in enumerate(queues):
                group.create_task(client_of(USERS[number % len(USERS)], queue))
    return answered, errors


PRICES = {"openai/demo-small": (0.15, 0.6), "openai/demo-large": (3.0, 12.0)}


async def _ask(client: httpx.AsyncClient, user: str, task: Task) -> Answered | None:
    body = {"model": "auto", "messages": [{"role": "user", "content": task.prompt}]}
    answer = await client.post("/v1/chat/completions", json=body, headers={"x-user-id": user})
    if answer.status_code != 200:
        return None
    told = answer.json()
    dear_in, dear_out = PRICES[answer.headers["x-turnout-model"]]
    usage = told["usage"]
    return Answered(
        task=task.id,
        good=check(task, told["choices"][0]["message"]["content"]),
        tier=answer.headers["x-turnout-tier"],
        hit="; hit" in answer.headers["cache-status"] or "collapsed" in answer.headers["cache-status"],
        cost_usd=(usage["prompt_tokens"] * dear_in + usage["completion_tokens"] * dear_out) / 1e6,
        turnout_ms=_timing(answer, "turnout"),
        inference_ms=_timing(answer, "inference"),
    )


def _timing(answer: httpx.Response, name: str) -> float:
    found = re.search(rf"{name};dur=([0-9.]+)", answer.headers["server-timing"])
    return float(found[1]) if found else 0.0


def _one_of_each(tasks: Sequence[Task], traffic: Sequence[Answered]) -> list[str]:
    """The shortest prompt that went to each tier, the cheap one's first."""
    went = {answered.task: answered.tier for answered in traffic}
    prompts = sorted(((went[task.id], task.prompt) for task in tasks if task.id in went), key=lambda one: len(one[1]))
    return [next(prompt for at, prompt in prompts if at == tier) for tier in sorted({at for at, _ in prompts})]


def _leave_up(url: str, out: Console, prompts: Sequence[str]) -> None:
    bodies = [{"model": "auto", "messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
    headers = "-H 'content-type: application/json' -H 'x-user-id: me'"
    asks = [f"  curl -i {url}/v1/chat/completions {headers} -d {shlex.quote(json.dumps(body))}\n\n" for body in bodies]
    out.print(
        f"\nThe app is up at {url}. Try an easy one, a hard one, and either again:\n\n{''.join(asks)}"
        f"  curl {url}/v1/models\n\nEnd with Ctrl-C.",
        markup=False,
        soft_wrap=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        out.print("bye")
