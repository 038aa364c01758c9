"""What a submission is, and how it is answered: the values around an accepted job. Pure but for chance."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from turnout.api.exchange import ApiReply, WireAdapter, json_reply
from turnout.api.job_bodies import job_object, location
from turnout.api.response_headers import Headers
from turnout.ports.jobs import Job, QueueState

# As JMS has it: 0 to 9, the higher the sooner.
DEFAULT_PRIORITY = 4
HIGHEST_PRIORITY = 9


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted job. `id` and `status` as over HTTP; `location`: the path to ask for it; `secret`: of an anonymous
    caller, to be sent back as `x-turnout-job-secret`, else ""."""

    job: Job
    state: QueueState
    secret: str = ""
    concurrency: int = 1

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def status(self) -> str:
        return self.job.status

    @property
    def location(self) -> str:
        return location(self.job.id)

    def to_dict(self) -> dict[str, Any]:
        """The body of the 202."""
        return job_object(self.job, self.state, concurrency=self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What a submission says beside its body."""

    priority: int = DEFAULT_PRIORITY
    webhook_url: str = ""
    idempotency_key: str = ""


def answer_of(job: Job, headers: Headers, wire: WireAdapter | None, request_id: str) -> ApiReply:
    """The reply that the request would have had without a job."""
    head = json.loads(job.head or b'{"status": 500, "headers": []}')
    if job.status == "failed":
        error = json.loads(job.error)
        body = {"error": error} if wire is None else wire.error_body(error, head["status"], request_id)
        return json_reply(head["status"], body, headers)
    answered = [(name, value) for name, value in head["headers"] if name != "content-type"]
    kind = next((value for name, value in head["headers"] if name == "content-type"), "application/json")
    return ApiReply(status=head["status"], headers=[*answered, *headers], body=job.result, content_type=kind)


def secret_of(idempotency_key: str, body: bytes) -> str:
    """A new secret; under a key the same again for the same body, so that who sends it twice can follow the job."""
    if not idempotency_key:
        return secrets.token_urlsafe(24)
    return hashlib.blake2b(body, key=idempotency_key.encode()[:64], digest_size=24, person=b"turnout.job").hexdigest()


def hashed(secret: str) -> str:
    """What the store knows of a secret; "" of none."""
    return hashlib.blake2b(secret.encode(), digest_size=20).hexdigest() if secret else ""
