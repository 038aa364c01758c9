"""One request to the mounted app, by ASGI and by WSGI, in this process, as a server would make it."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Any

from tests.support.wire_fuzz.bodies import Request


@dataclass(frozen=True, slots=True)
class Response:
    """What the caller gets."""

    status: int
    content_type: str
    body: bytes


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """The app behind the middleware."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def nothing_wsgi(environ: Any, start_response: Any) -> Any:
    """The app behind the middleware."""
    start_response("404 Not Found", [])
    return [b""]


async def ask_asgi(app: Any, request: Request) -> Response:
    """Sends the body in two pieces, and stays until the end."""
    headers = [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in request.headers]
    half = len(request.body) // 2
    messages = [
        {"type": "http.request", "body": request.body[:half], "more_body": True},
        {"type": "http.request", "body": request.body[half:], "more_body": False},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": request.path, "raw_path": request.path.encode(), "query_string": b"",
        "root_path": "", "headers": headers, "state": {}, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await app(scope, receive, send)
    kind = dict(sent[0]["headers"]).get(b"content-type", b"").decode()
    return Response(sent[0]["status"], kind, b"".join(message.get("body", b"") for message in sent[1:]))


async def ask_wsgi(app: Any, request: Request) -> Response:
    """In a thread, as a server's worker."""
    return await asyncio.to_thread(_ask_wsgi, app, request)


def _ask_wsgi(app: Any, request: Request) -> Response:
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": request.path, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "app", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(request.body), "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": "application/json",
    }  # fmt: skip
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.encode("utf-8", "replace").decode("latin-1")
    started: list[Any] = []
    pieces = app(environ, lambda status, headers, exc_info=None: started.append((status, headers)))
    try:
        body = b"".join(pieces)
    finally:
        if (close := getattr(pieces, "close", None)) is not None:
            close()
    status, headers = started[0]
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return Response(int(status[:3]), kind, body)
