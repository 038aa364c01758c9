"""Heavy requests of the app's own paths: written down as jobs, and replayed through the app by a worker. No cookie and
no authorization is written down: whose request it is has been found out at the door."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from turnout.api.exchange import ApiRequest, Reply
from turnout.api.preferences import parse_prefer
from turnout.context import Caller, RequestContext, parse_directives
from turnout.doors.failures import served_in
from turnout.openai.answers import dumps
from turnout.ports.jobs import Job, JobEnd

if TYPE_CHECKING:
    from turnout.api.jobs import JobSubmissions

log = logging.getLogger("turnout.jobs")

KEPT_HEADERS = ("accept", "accept-language", "content-encoding", "content-type", "host")
# The largest response that is kept as a job's result.
MOST_RESULT_BYTES = 1_048_576
# Asked by browsers and probes ahead of the request itself.
LIGHT_METHODS = frozenset({"HEAD", "OPTIONS"})
# What the app answers to who shows no credentials.
_OF_CREDENTIALS = frozenset({401, 403})
# A session's, and those of one connection or of one sending.
_NOT_KEPT = frozenset(
    {"set-cookie", "content-length", "transfer-encoding", "connection", "keep-alive", "date", "server"}
)


async def submit_heavy(
    submissions: JobSubmissions, request: ApiRequest, caller: Caller, now: float, origin: Mapping[str, str]
) -> Reply:
    """The reply to a heavy request: 202, or the app's response where it is there within the caller's wait. now: seconds
    since 1970. origin: where it came from and to, for its replay. Raises ServedError."""
    # Imported here: an app without a queue loads nothing of it.
    from turnout.api.submission import JobOptions

    await submissions.take_turn()
    directives = parse_directives(request.header("cache-control"), request.header("x-turnout-deadline-ms"))
    deadline_s = directives.deadline_s
    asked = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": base64.b64encode(request.body).decode(),
    }
    spec = {
        **asked,
        "headers": [[name, value] for name in KEPT_HEADERS if (value := request.header(name))],
        "origin": dict(origin),
        "user": caller.user,
        "request_id": request.request_id,
        "deadline_at": None if deadline_s is None else now + deadline_s,
    }
    context = RequestContext(
        request_id=request.request_id,
        started=request.started,
        caller=caller,
        traceparent=request.header("traceparent"),
    )
    wanted = JobOptions(idempotency_key=request.header("idempotency-key").strip())
    submitted = await submissions.submit("http", spec, asked, context, wanted)
    return await submissions.accepted(
        submitted, replace(request, caller=caller), parse_prefer(request.header("prefer"))
    )


@dataclass(frozen=True, slots=True)
class HeavyRequest:
    """A heavy request as it was written down. origin: its `scheme`, `client` (an address), `root_path` and, of an ASGI
    request, the `path` with it."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    caller: Caller
    origin: Mapping[str, str]

    @classmethod
    def of(cls, job: Job) -> HeavyRequest:
        """The request of this job."""
        spec: dict[str, Any] = json.loads(job.spec)
        return cls(
            method=spec["method"],
            path=spec["path"],
            query=spec["query"],
            headers=tuple((name, value) for name, value in spec["headers"]),
            body=base64.b64decode(spec["body"]),
            caller=Caller(user=spec["user"], endpoint=job.endpoint, admitted=True),
            # Jobs of before have none.
            origin=spec.get("origin", {}),
        )


class Recorder:
    """Collects the app's response, as much as is kept of one."""

    def __init__(self) -> None:
        self.status = 0
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._size = 0

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.status = status
        self._headers = [(name.lower(), value) for name, value in headers if name.lower() not in _NOT_KEPT]

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= MOST_RESULT_BYTES:
            self._parts.append(part)

    def end(self) -> JobEnd:
        """What the job ends with: done with the response, failed where that is a server error, a refusal for want of
        credentials or of room, too large or none."""
        head = dumps({"status": self.status or 500, "headers": self._headers})
        if self._size > MOST_RESULT_BYTES:
            return _failed(head, f"the response is larger than {MOST_RESULT_BYTES} bytes", "result_too_large")
        if self.status in _OF_CREDENTIALS:
            return _failed(head, f"the app answered {self.status}: credentials are not replayed", "app_error")
        if self.status >= 500 or self.status in (0, 429):
            return _failed(head, f"the app answered {self.status or 'nothing'}", "app_error")
        return JobEnd(status="done", head=head, result=b"".join(self._parts))

    def end_by(self, error: Exception, job: Job) -> JobEnd:
        """What the job ends with where the app's own handler raised. Raises the ServedError that it tells of."""
        served = served_in(error)
        if served is not None:
            raise served
        log.error("turnout: the app's own handler failed in job %s", job.id, exc_info=error)
        # Whatever the handler had begun to answer: a 200 that breaks off is none.
        head = dumps({"status": max(self.status, 500), "headers": []})
        return _failed(head, "the app's own handler failed", "app_error")


def _failed(head: bytes, message: str, code: str) -> JobEnd:
    error = {"message": message, "type": "api_error", "code": code, "param": None}
    return JobEnd(status="failed", head=head, error=dumps(error))
