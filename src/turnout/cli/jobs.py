"""`turnout jobs list|show|retry|cancel|purge --config turnout.toml`: the jobs of the queue, failed ones included."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from turnout.api.job_bodies import job_object
from turnout.cli.arguments import add_config, whole_number
from turnout.cli.labelled_lines import width_of
from turnout.cli.stores import open_jobs, queue_settings
from turnout.context import user_key
from turnout.errors import UsageError
from turnout.ports.jobs import Job, Jobs, QueueBounds
from turnout.settings import Settings

ACTIONS = ("list", "show", "retry", "cancel", "purge")
# Jobs that are in memory at once, each with its request.
PAGE = 50
STATUSES = ("queued", "running", "done", "failed", "cancelled")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="what to do; failed jobs wait here for a retry")
    parser.add_argument("ids", nargs="*", default=[], metavar="ID", help="which: for show, retry, cancel and purge")
    add_config(parser)
    parser.add_argument("--status", choices=STATUSES, default="", help="list, retry, purge: those of this status")
    parser.add_argument("--user", metavar="ID", help="list, purge: those of this user; purge takes running ones too")
    parser.add_argument("--all", action="store_true", help="purge: all that do not run")
    parser.add_argument("--limit", type=whole_number(1), default=100, metavar="N", help="list: at most so many (100)")
    parser.add_argument("--json", action="store_true", help="print only JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where a job is not there or not in a state for it, 2 where nothing is named."""
    settings, queue = queue_settings(args)
    _check(args)
    bounds = QueueBounds(max_length=1, max_per_user=1, ttl_s=queue.result_ttl_s)
    return asyncio.run(_act(args, settings, bounds))


def _check(args: argparse.Namespace) -> None:
    named = bool(args.ids) or args.user is not None or bool(args.status)
    if args.action == "purge" and named == args.all:
        raise UsageError("say what to purge: IDs, --user or --status, or else --all")
    if args.action in ("show", "cancel") and not args.ids:
        raise UsageError(f"say which job to {args.action}: its ID")
    if args.action == "retry" and not args.ids and args.status not in ("failed", "cancelled"):
        raise UsageError("say which jobs to retry: IDs, or --status failed")


async def _act(args: argparse.Namespace, settings: Settings, bounds: QueueBounds) -> int:
    async with open_jobs(settings) as jobs:
        if args.action == "list":
            user = "" if args.user is None else user_key(args.user)
            _print_list(await jobs.list_jobs(status=args.status, user=user, limit=args.limit), args.json)
            return 0
        if args.action == "purge":
            return await _purge(args, jobs)
        if args.action == "retry":
            ids = _these(args.ids) if args.ids else _ids_of(jobs, args.status)
            return await _each(ids, jobs.retry, "queued again", args.json)
        if args.action == "cancel":
            return await _each(_these(args.ids), lambda job_id: _cancel(jobs, job_id, bounds), "cancelled", args.json)
        return await _show(args, jobs)


async def _these(ids: Iterable[str]) -> AsyncIterator[str]:
    for job_id in ids:
        yield job_id


async def _ids_of(jobs: Jobs, status: str) -> AsyncIterator[str]:
    """Those of this status, the newest first, and each once: one that fails again meanwhile does not come back."""
    before = 0
    while page := await jobs.list_jobs(status=status, limit=PAGE, before=before):
        before = page[-1].seq
        ids = [job.id for job in page]
        # Their requests are not kept while the next ones are asked for.
        del page
        for job_id in ids:
            yield job_id


async def _cancel(jobs: Jobs, job_id: str, bounds: QueueBounds) -> bool:
    job = await jobs.cancel(job_id, bounds)
    # A running one is ended by its worker, within a second.
    return job is not None and (job.status == "cancelled" or job.cancel)


async def _purge(args: argparse.Namespace, jobs: Jobs) -> int:
    user = "" if args.user is None else user_key(args.user)
    if args.ids:
        purged = sum([await jobs.purge(job_id=job_id, user=user, status=args.status) for job_id in args.ids])
    else:
        purged = await jobs.purge(user=user, status=args.status)
    print(json.dumps({"purged": purged}) if args.json else f"{purged} jobs purged")
    return 0


async def _each(ids: AsyncIterator[str], act: Callable[[str], Awaitable[bool]], done: str, as_json: bool) -> int:
    results: dict[str, bool] = {}
    all_good = True
    async for job_id in ids:
        good = await act(job_id)
        all_good = all_good and good
        if as_json:
            results[job_id] = good
        else:
            # At once: an error on the way leaves told what was done.
            print(f"{job_id} {done}" if good else f"{job_id} is not there, or not in a state for it", file=_file(good))
    if as_json:
        print(json.dumps(results))
    return 0 if all_good else 1


def _file(good: bool) -> Any:
    return sys.stdout if good else sys.stderr


async def _show(args: argparse.Namespace, jobs: Jobs) -> int:
    found = [(job_id, await jobs.find(job_id)) for job_id in args.ids]
    for job_id, job in found:
        if job is None:
            print(f"turnout: there is no job {job_id}", file=sys.stderr)
    bodies = [_whole(job) for _, job in found if job is not None]
    print(json.dumps(bodies if len(args.ids) > 1 else bodies[0] if bodies else None, indent=2))
    return 0 if len(bodies) == len(args.ids) else 1


def _whole(job: Job) -> dict[str, Any]:
    return {**job_object(job), "user": job.user, "endpoint": job.endpoint, "deliveries": job.deliveries}


def _print_list(jobs: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{name: value for name, value in _whole(job).items() if name != "result"} for job in jobs]))
        return
    for job in jobs:
        print(list_line(job, width_of(sys.stdout)))
    if not jobs:
        print("no jobs")


def list_line(job: Job, width: int | None) -> str:
    """A job as one line. width: of the terminal, which only the beginning of a long reason is for; None: all of it."""
    created = f"{datetime.fromtimestamp(job.created, UTC):%Y-%m-%d %H:%M}Z"
    reason = json.loads(job.error or b"{}").get("message", "")
    line = f"{job.id} {job.status:9} {created} p{job.priority} {job.endpoint} {reason}".rstrip()
    return line if width is None or len(line) <= width else f"{line[: width - 3]}..."
