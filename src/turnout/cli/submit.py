"""`turnout submit PROMPTS.jsonl -o FILE`: a batch of jobs, followed to their ends; results in the prompts' order."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from turnout.api.job_bodies import result_of
from turnout.api.submission import DEFAULT_PRIORITY, HIGHEST_PRIORITY
from turnout.atomic_file import replacing
from turnout.cli.arguments import add_config, whole_number
from turnout.cli.output_files import check_place
from turnout.cli.progress import progress_bar
from turnout.cli.quiet_logging import quiet_logging
from turnout.cli.stores import queue_settings
from turnout.context import Caller
from turnout.errors import (
    InvalidRequest,
    LogError,
    Overloaded,
    RateLimitExceeded,
    ServedError,
    StoreUnavailable,
    UsageError,
)
from turnout.ports.jobs import ENDED, Job, JobsUnavailable
from turnout.settings import Queue, Settings
from turnout.turnout import Turnout

# How far ahead of the first job that has not ended others are submitted.
AHEAD = 1000
POLL_S = 0.2
# How long a store that is away is waited for.
PATIENCE_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prompts", metavar="PROMPTS", help="JSON lines: prompt or messages and parameters, or OpenAI's batch format"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where the results go, as JSON lines")
    add_config(parser)
    parser.add_argument("--user", default="turnout-submit", metavar="ID", help="who asks and pays (turnout-submit)")
    parser.add_argument(
        "--priority",
        type=whole_number(0, HIGHEST_PRIORITY),
        default=DEFAULT_PRIORITY,
        metavar="0..9",
        help="the higher, the sooner",
    )
    parser.add_argument("--json", action="store_true", help="print only JSON: how many are done and failed")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where a job has failed, 2 for wrong use. Killed and called again with the same prompts and output, it
    finds its jobs again: none is paid for twice."""
    settings, queue = queue_settings(args)
    check_place(Path(args.output), "-o")
    rows = _read_rows(Path(args.prompts))
    # What the log would warn of is told here, once.
    with quiet_logging():
        failed = asyncio.run(_Batch(settings, queue, args, rows).run())
    counts = {"done": len(rows) - failed, "failed": failed}
    print(json.dumps(counts) if args.json else f"{counts['done']} done, {failed} failed: {args.output}")
    return 1 if failed else 0


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """The file's objects. Raises LogError, which names the line that is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise LogError(f"{path}, line {number}: is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise LogError(f"{path}, line {number}: must be an object")
        rows.append({"custom_id": f"row-{number}", **row})
    return rows


class _Batch:
    """One batch on its way. args: the command's."""

    def __init__(self, settings: Settings, queue: Queue, args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
        # Without Redis nobody else may be there: the command works on the queue itself.
        works = settings.redis is None or queue.in_app
        self._works = works
        self._turnout = Turnout(settings, works=works)
        self._caller = Caller(user=args.user, endpoint=settings.server.chat_path)
        self._config = args.config
        self._output = Path(args.output)
        self._priority = args.priority
        self._rows = rows
        self._ids: list[asyncio.Future[str]] = []
        self._room = asyncio.Semaphore(AHEAD)

    async def run(self) -> int:
        """How many have failed; the output is there, complete, when this returns."""
        loop = asyncio.get_running_loop()
        self._ids = [loop.create_future() for _ in self._rows]
        if self._works:
            await self._turnout.start()
        submitting = asyncio.create_task(self._submit_all())
        failed = 0
        try:
            with replacing(self._output) as file, progress_bar("jobs") as progress:
                async for done, line in self._results():
                    failed += line["error"] is not None
                    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                    progress(done, len(self._rows))
        finally:
            submitting.cancel()
            await asyncio.wait({submitting})
            await self._turnout.aclose()
        return failed

    async def _submit_all(self) -> None:
        warned = False
        for number, (row, future) in enumerate(zip(self._rows, self._ids, strict=True)):
            await self._room.acquire()
            try:
                submitted = await self._submit(number, row)
            except (ServedError, UsageError, TypeError, ValueError) as error:
                future.set_exception(error if isinstance(error, ServedError) else InvalidRequest(str(error)))
                continue
            if not self._works and not submitted.state.workers and not warned:
                warned = True
                start = f"start one with `turnout worker --config {self._config}`"
                print(f"turnout: the jobs wait: no worker is seen at the queue; {start}", file=sys.stderr)
            future.set_result(submitted.id)

    async def _submit(self, number: int, row: dict[str, Any]) -> Any:
        """The accepted job of a row; where the queue is full, once there is room. Raises ServedError."""
        body = dict(row["body"]) if isinstance(row.get("body"), dict) else dict(row)
        for name in ("custom_id", "method", "url", "stream", "stream_options"):
            body.pop(name, None)
        prompt = body.pop("messages", None) or body.pop("prompt", None)
        body.pop("prompt", None)
        said = json.dumps([str(self._output.resolve()), number, row], sort_keys=True).encode()
        key = "submit-" + hashlib.blake2b(said, digest_size=20).hexdigest()
        if prompt is None:
            raise InvalidRequest("the row has neither prompt nor messages", param="messages")
        while True:
            try:
                return await self._turnout.submit(
                    prompt, caller=self._caller, priority=self._priority, idempotency_key=key, **body
                )
            except (Overloaded, RateLimitExceeded):
                await asyncio.sleep(POLL_S)

    async def _results(self) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        for number, (row, future) in enumerate(zip(self._rows, self._ids, strict=True), 1):
            try:
                job = await self._ended(await future)
            except ServedError as error:
                yield number, _line(row, None, error.to_openai()["error"])
            else:
                yield number, _line(row, job, _error_of(job))
            self._room.release()

    async def _ended(self, job_id: str) -> Job | None:
        left = PATIENCE_S
        while left > 0:
            try:
                job = await self._turnout.submissions.find(job_id)
            except JobsUnavailable:
                left -= POLL_S
            else:
                if job is None or job.status in ENDED:
                    return job
                left = PATIENCE_S
            await asyncio.sleep(POLL_S)
        raise StoreUnavailable("the jobs cannot be reached; call the command again to go on")


def _error_of(job: Job | None) -> dict[str, Any] | None:
    if job is None:
        return {"message": "the job has expired or was purged", "code": "not_found"}
    if job.status == "failed":
        error: dict[str, Any] = json.loads(job.error or b"{}")
        return error
    return {"message": "the job was cancelled", "code": "cancelled"} if job.status == "cancelled" else None


def _line(row: dict[str, Any], job: Job | None, error: dict[str, Any] | None) -> dict[str, Any]:
    """One result, in the shape of OpenAI's batch output."""
    response = None
    if job is not None and job.status == "done":
        response = {"status_code": 200, "request_id": json.loads(job.spec)["request_id"], "body": result_of(job)}
    job_id = job.id if job is not None else None
    return {"id": job_id, "custom_id": row["custom_id"], "response": response, "error": error}
