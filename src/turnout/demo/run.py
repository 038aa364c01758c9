"""The demo from end to end: two providers, labelled logs, a trained scorer, an app, traffic without and with the
cascade, a summary."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from turnout.demo.labelling import answer_by_tier, log_rows
from turnout.demo.server_process import ProviderProcess, ServerProcess
from turnout.demo.summary import RoutedAnswer, as_text, summarise, summarise_cascade
from turnout.demo.tasks import Task, generate
from turnout.demo.traffic import PRICES, REPEATS, USERS, send_traffic
from turnout.logs import labelled as labelled_logs
from turnout.training.cascade import train_cascade

TRAINING, HELD_OUT = 700, 300
# Above the 0.95 that the demo promises: held-out prompts are never quite the training ones.
KEEP_QUALITY = 0.98


def settings(base_urls: Mapping[str, str], routing: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with one model in each tier, one twenty times dearer than the other. base_urls: by model."""
    cheap, expensive = PRICES
    return {
        "tiers": {"cheap": {"models": [cheap]}, "expensive": {"models": [expensive]}},
        "models": {
            model: {
                "params": {"api_base": base_urls[model]},
                "input_usd_per_million": input_usd,
                "output_usd_per_million": output_usd,
            }
            for model, (input_usd, output_usd) in PRICES.items()
        },
        "routing": dict(routing),
        "identity": {"user_header": "x-user-id"},
    }


def run(*, seed: int, quiet: bool, serve: bool) -> dict[str, Any]:
    """Runs the demo and returns its summary. quiet: prints nothing on standard output."""
    out = Console(stderr=quiet, highlight=False)
    with ExitStack() as stack:
        progress = stack.enter_context(_progress_bars())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-demo-")))
        providers = [stack.enter_context(ProviderProcess(skill)) for skill in ("cheap", "expensive")]
        base_urls = {f"openai/{provider.model}": provider.base_url for provider in providers}
        tasks = generate(TRAINING + HELD_OUT, seed)
        training, held_out = tasks[:TRAINING], tasks[TRAINING:]

        unrouted = settings(base_urls, {"threshold": 0.5}) | {"cache": {"enabled": False}}
        answers = asyncio.run(answer_by_tier(unrouted, tasks, progress))
        out.print(f"asked both models {TRAINING} training tasks through litellm, and checked the answers")
        scorer = folder / "demo.turnout"
        trained = train_cascade(
            labelled_logs.Logs.from_rows(log_rows(training, answers), answers=True), cheap_model=next(iter(PRICES))
        )
        trained.fitted.save(scorer)
        out.print("trained the scorer, and the cascade's verifier, on these labelled logs")

        routing = {"scorer": str(scorer), "keep_quality": KEEP_QUALITY}
        app = stack.enter_context(_app(folder / "settings.json", settings(base_urls, routing)))
        out.print(
            f"mounted Turnout in a Starlette app: {len(USERS)} users, {HELD_OUT} held-out tasks, {REPEATS} repeats"
        )
        traffic, errors = asyncio.run(send_traffic(app.url, held_out, Random(seed), progress))
        summary = summarise(traffic, errors, answers["cheap"], answers["expensive"])
        summary["cascade"] = {"refused": trained.summary["refused"] or None}
        if not trained.summary["refused"]:
            cascaded = routing | {"cascade": {"mode": "on", "streams": "skip"}}
            with _app(folder / "cascade.json", settings(base_urls, cascaded)) as second:
                again, failed = asyncio.run(send_traffic(second.url, held_out, Random(seed), progress))
            summary["errors"] += failed
            summary["cascade"] |= summarise_cascade(again, answers["expensive"])
        progress.stop()
        if not quiet:
            out.print(as_text(summary), markup=False, soft_wrap=True)
        if serve:
            _keep_serving(app.url, out, _example_prompts(held_out, traffic))
    return summary


def _app(config: Path, settings_of_app: Mapping[str, Any]) -> ServerProcess:
    """The app with these settings, written to the file; started by `with`."""
    config.write_text(json.dumps(settings_of_app))
    return ServerProcess("turnout.demo.app_server", "--config", str(config))


def _progress_bars() -> Progress:
    """Bars on a terminal, nothing in a pipe."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)


def _example_prompts(tasks: Sequence[Task], traffic: Sequence[RoutedAnswer]) -> list[str]:
    """The shortest prompt that went to each tier, the cheap one's first."""
    tiers = {answer.task_id: answer.tier for answer in traffic}
    by_tier: dict[str, str] = {}
    for task in sorted(tasks, key=lambda task: len(task.prompt)):
        if task.id in tiers:
            by_tier.setdefault(tiers[task.id], task.prompt)
    return [by_tier[tier] for tier in sorted(by_tier)]


def _keep_serving(url: str, out: Console, prompts: Sequence[str]) -> None:
    bodies = [{"model": "auto", "messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
    headers = "-H 'content-type: application/json' -H 'x-user-id: me'"
    commands = [
        f"  curl -i {url}/v1/chat/completions {headers} -d {shlex.quote(json.dumps(body))}\n\n" for body in bodies
    ]
    out.print(
        f"\nThe app is up at {url}. Try an easy one, a hard one, and either again:\n\n{''.join(commands)}"
        f"  curl {url}/v1/models\n\nEnd with Ctrl-C.",
        markup=False,
        soft_wrap=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        out.print("bye")
