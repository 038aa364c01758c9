"""What a job looks like to its user: the `turnout.job` object, its events, and the headers around them. Pure."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any

from turnout.api.response_headers import Headers
from turnout.openai.answers import dumps, one_line
from turnout.ports.jobs import ENDED, Job, JobEvent, QueueState

# Between looks at a job that runs, in seconds, as `Retry-After` says; at one that waits a quarter of its wait, at most
# so long: a full queue's submitters would fell the app with their looks.
LOOK_AGAIN_S = 1
LONGEST_LOOK_S = 30
JOBS_PATH = "/turnout/jobs/"
# Where nobody has been seen who works on jobs.
NO_WORKER = "no worker has been seen for 30 s: start one with `turnout worker --config turnout.toml`"


def location(job_id: str) -> str:
    return JOBS_PATH + job_id


def job_object(job: Job, state: QueueState | None = None, *, concurrency: int = 1) -> dict[str, Any]:
    """The job as JSON holds it. state: the queue's, for the place in line of one that waits."""
    body: dict[str, Any] = {
        "id": job.id,
        "object": "turnout.job",
        "status": job.status,
        "created_at": job.created,
        "priority": job.priority,
        "attempts": job.attempts,
    }
    if job.started is not None:
        body["started_at"] = job.started
    if job.ended is not None:
        body["ended_at"] = job.ended
    if state is not None and job.status == "queued":
        if state.position:
            body["position"] = state.position
            body["expected_wait_s"] = round(_expected_wait_s(state, concurrency), 3)
        if not state.workers:
            body["warning"] = NO_WORKER
    if job.status == "done":
        body["result"] = result_of(job)
    if job.status == "failed":
        body["error"] = json.loads(job.error or b"{}")
    if job.hook:
        body["webhook"] = {"state": job.hook, "tries": job.hook_tries}
    return body


def result_of(job: Job) -> Any:
    """A chat job's `chat.completion` object; of a replayed request its status, headers and body."""
    if job.kind == "chat":
        return json.loads(job.result)
    head = json.loads(job.head or b"{}")
    try:
        body: Any = job.result.decode()
        encoding = "text"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(job.result).decode(), "base64"
    if encoding == "text" and any("json" in value for name, value in head["headers"] if name == "content-type"):
        with contextlib.suppress(ValueError):
            body, encoding = json.loads(body), "json"
    return {**head, "headers": dict(head["headers"]), "body": body, "encoding": encoding}


def _expected_wait_s(state: QueueState, concurrency: int) -> float:
    return state.position * state.run_s / concurrency


def look_again_s(state: QueueState | None, concurrency: int) -> int:
    """After how many seconds to look at a job again. state: the queue's, with its place in line."""
    wait_s = 0.0 if state is None else _expected_wait_s(state, concurrency)
    return max(LOOK_AGAIN_S, min(LONGEST_LOOK_S, int(wait_s / 4)))


def job_headers(job: Job, request_id: str, state: QueueState | None = None, *, concurrency: int = 1) -> Headers:
    """The headers around a job. state: the queue's, for when to look again at one that waits."""
    headers: Headers = [("x-request-id", request_id), ("cache-control", "no-store")]
    if job.status in ENDED:
        return headers
    return [*headers, ("retry-after", str(look_again_s(state, concurrency)))]


def event_text(event: JobEvent, job: Job | None) -> bytes:
    """One server-sent event. job: given with the last one, which then holds the whole job."""
    data: Mapping[str, Any] | bytes = event.data
    if event.kind == "status":
        status = json.loads(event.data)
        data = job_object(job) if job is not None else {"object": "turnout.job", **status}
    encoded = data if isinstance(data, bytes) else dumps(data)
    return f"id: {event.number}\nevent: {event.kind}\ndata: ".encode() + one_line(encoded) + b"\n\n"


def webhook_body(job: Job) -> bytes:
    """A webhook's message: type, time and the whole job."""
    return dumps({"type": f"job.{job.status}", "timestamp": job.ended, "data": job_object(job)})
