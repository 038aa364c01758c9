"""A request that was written down, played to a WSGI app again, on a thread of its own; its response recorded."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from turnout.doors.bound import BoundTurnout
from turnout.doors.heavy import HeavyRequest, Recorder
from turnout.doors.wsgi_endpoint import Environ, StartResponse
from turnout.ports.jobs import Job, JobEnd

T = TypeVar("T")


async def in_thread_of_its_own(work: Callable[[], T]) -> T:
    """What the work gives, done in this context. It cannot be cut short: left, it goes on by itself, and holds up
    neither what comes after it, as in a pool, nor the end of the process."""
    context = contextvars.copy_context()
    result: Future[T] = Future()
    result.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result.set_result(context.run(work))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="turnout.replay", daemon=True).start()
    return await asyncio.wrap_future(result)


def play(
    app: Callable[[Environ, StartResponse], Iterable[bytes]], heavy: HeavyRequest, bound: BoundTurnout, job: Job
) -> JobEnd:
    """The app's response to a request that was written down. Raises the ServedError that it let pass."""
    recorder = Recorder()

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
        recorder.start(int(status[:3]), headers)
        return recorder.add

    try:
        body = app(replayed_environ(heavy), start)
        try:
            for part in body:
                recorder.add(part)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    except Exception as error:
        # The app's, whatever it is.
        return recorder.end_by(error, job)
    if bound.unhandled is not None:
        # The job may run again, as one of ours would.
        raise bound.unhandled
    return recorder.end()


def replayed_environ(heavy: HeavyRequest) -> Environ:
    """The environ of a request that was written down (PEP 3333)."""
    headers, scheme = dict(heavy.headers), heavy.origin.get("scheme", "http")
    host, _, port = headers.get("host", "localhost").rpartition(":") if ":" in headers.get("host", "") else ("", "", "")
    environ: Environ = {
        "REQUEST_METHOD": heavy.method,
        "SCRIPT_NAME": heavy.origin.get("root_path", ""),
        "PATH_INFO": heavy.path.encode().decode("latin-1"),
        "QUERY_STRING": heavy.query,
        "CONTENT_LENGTH": str(len(heavy.body)),
        "SERVER_NAME": host or headers.get("host", "localhost"),
        "SERVER_PORT": port or ("443" if scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "REMOTE_ADDR": heavy.origin.get("client", ""),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(heavy.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ["CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")] = value
    return environ
