"""`background: true` of the Responses protocol: the Response of a job, as long as it has no answer and after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from turnout.caching.kept_responses import KeptResponse
from turnout.errors import InvalidRequest
from turnout.openai.answers import Body
from turnout.openai.response_items import turn_of
from turnout.ports.jobs import Job
from turnout.wires.responses_answer import unfinished

_STATUS = {"queued": "queued", "running": "in_progress", "failed": "failed", "cancelled": "cancelled"}


def check_background(body: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for what no response in the background can be."""
    if body.get("store") is False:
        raise InvalidRequest("a response in the background is kept: store must not be false", param="store")
    if body.get("stream"):
        message = "a response in the background is not streamed here: ask for it, or follow its job's events"
        raise InvalidRequest(message, param="stream")


def response_id_of(job_id: str) -> str:
    """The id of the Response that this job ends with."""
    return f"resp_{job_id.removeprefix('job_')}"


def job_id_of(response_id: str) -> str:
    """The job that this Response would be of."""
    return f"job_{response_id.removeprefix('resp_')}"


def asked_of(job: Job, owner: str) -> Mapping[str, Any] | None:
    """The body that asked for this job's Response; None where it has none for this user."""
    wire = json.loads(job.spec).get("wire") or {}
    asked: Mapping[str, Any] = wire.get("asked") or {}
    if job.user != owner or wire.get("name") != "responses" or asked.get("store") is False:
        return None
    return asked


def response_of(job: Job, asked: Mapping[str, Any]) -> Body:
    """The Response as it is now."""
    if job.status == "done":
        answered: Body = json.loads(job.result)
        return answered
    error = json.loads(job.error) if job.error else None
    return unfinished(asked, response_id_of(job.id), job.created, _STATUS[job.status], error)


def kept_of(job: Job, asked: Mapping[str, Any]) -> KeptResponse:
    """What the job's Response is kept as, once it is done."""
    sent = json.loads(job.spec)["body"]["messages"]
    response = response_of(job, asked)
    said = sent[1:] if asked.get("instructions") else sent
    messages = [*said, *turn_of(response["output"])]
    return KeptResponse(job.user, response, messages, len(job.spec) + len(job.result))
