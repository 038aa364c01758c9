"""Any path and any header at both doors: never a 500, no circuit moved, and one endpoint whatever the door."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.pipeline.world import CHEAP, DEAR, PRICES
from tests.support.redis_server import RedisServer
from turnout import Turnout, asgi, wsgi
from turnout.context import current_request
from turnout.errors import ServedError
from turnout.testing import FixedScorer, ScriptedProvider

OWN = (
    "/v1/chat/completions", "/v1/models/", "/v1/messages/count_tokens", "/v1/responses/", "/v1/embeddings",
    "/turnout/jobs/", "/turnout/feedback", "/turnout/status", "/turnout/metrics", "/turnout/health/ready", "/ask",
    "/item/",
)  # fmt: skip
ODD = (
    b"//",
    b"/",
    b":z",
    b"%00",
    b"\x00",
    b"\r\nx: y",
    b"\xff",
    b"\xc3\xa9",
    b"..",
    b"{id}",
    b"*",
    b"?",
    b"a" * 300,
    b"/cancel",
)
PIECES = st.one_of(st.sampled_from([path.encode() for path in OWN]), st.sampled_from(ODD), st.binary(max_size=12))
PATHS = st.lists(PIECES, min_size=1, max_size=4).map(lambda pieces: b"/" + b"".join(pieces).lstrip(b"/"))
METHODS = st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"])
NAMES = (
    "x-turnout-deadline-ms", "cache-control", "prefer", "idempotency-key", "x-session-id", "last-event-id",
    "authorization", "x-api-key", "cookie", "content-type", "traceparent", "x-turnout-job-secret", "x-user-id",
)  # fmt: skip
# What servers let through: Latin-1 without control characters.
VALUES = st.one_of(
    st.sampled_from(
        ["nan", "-1", "1e400", "1" * 400, "max-age=" + "9" * 400, "wait=" + "9" * 400, "Bearer ", "a,b", '"', "=;=;"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=("Cc",)), max_size=40),
)
HEADERS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
BODY = json.dumps({"model": "cheap", "messages": [{"role": "user", "content": "hi"}]}).encode()


class Doors:
    """One app behind both doors, whose handler calls a model and notes the endpoint that it was billed to."""

    def __init__(self, **sections: Any) -> None:
        config = {
            "tiers": {"cheap": {"models": [CHEAP]}, "expensive": {"models": [DEAR]}},
            "models": {name: dict(PRICES) for name in (CHEAP, DEAR)},
            "routing": {"threshold": 0.5},
            "identity": {"user_header": "x-user-id", "bearer": True},
            "limits": {"per_endpoint": "1000000/minute"},
            "endpoints": {"/ask": {"rate": "1000000/minute"}, "/item/{id}": {"prompt": "/messages"}},
            **sections,
        }
        self.turnouts = [Turnout(config, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) for _ in range(2)]
        self.runner = asyncio.Runner()
        self.by_asgi: Any = asgi.TurnoutMiddleware(self.handle_asgi, turnout=self.turnouts[0])
        self.by_wsgi: Any = wsgi.TurnoutMiddleware(self.handle_wsgi, turnout=self.turnouts[1])
        self.endpoints: list[str] = []

    async def handle_asgi(self, scope: Any, receive: Any, send: Any) -> None:
        status = 200
        try:
            await scope["state"]["turnout"].complete("hi")
            self.note()
        except ServedError as error:
            status = error.told_status
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def handle_wsgi(self, environ: Any, start_response: Any) -> Any:
        status = 200
        try:
            environ["turnout"].complete("hi")
            self.note()
        except ServedError as error:
            status = error.told_status
        start_response(f"{status} -", [])
        return [b""]

    def note(self) -> None:
        handled = current_request.get()
        assert handled is not None
        self.endpoints.append(handled.find_caller().endpoint)

    def ask(self, method: str, path: bytes, headers: dict[str, str]) -> list[int]:
        """The statuses at both doors."""
        return [self.runner.run(self._ask_asgi(method, path, headers)), self._ask_wsgi(method, path, headers)]

    async def _ask_asgi(self, method: str, path: bytes, headers: dict[str, str]) -> int:
        sent: list[Any] = []
        body = [{"type": "http.request", "body": BODY}]

        async def receive() -> Any:
            return body.pop() if body else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        # As servers decode it.
        scope = {
            "type": "http",
            "method": method,
            "path": path.decode("utf-8", "replace"),
            "headers": pairs,
            "root_path": "",
        }
        await self.by_asgi(scope, receive, send)
        return int(sent[0]["status"])

    def _ask_wsgi(self, method: str, path: bytes, headers: dict[str, str]) -> int:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path.decode("latin-1"), "SCRIPT_NAME": "",
            "CONTENT_LENGTH": str(len(BODY)), "wsgi.input": io.BytesIO(BODY),
        }  # fmt: skip
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        pieces = self.by_wsgi(environ, lambda status, headers, exc_info=None: statuses.append(status))
        list(pieces)
        return int(statuses[0][:3])

    def close(self) -> None:
        for turnout in self.turnouts:
            self.runner.run(turnout.aclose())
        self.runner.close()


@pytest.fixture(params=["memory", "redis"])
def doors(request: pytest.FixtureRequest) -> Iterator[Doors]:
    """With its limits in memory, and in Redis."""
    sections: dict[str, Any] = {}
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        sections = {"redis": {"url": server.url, "prefix": "any-path"}}
    made = Doors(**sections)
    yield made
    made.close()


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS, path=PATHS, headers=HEADERS)
def test_no_path_and_no_header_makes_a_500_moves_a_circuit_or_has_two_endpoints(
    doors: Doors, method: str, path: bytes, headers: dict[str, str]
) -> None:
    """Whatever bytes the path holds: both doors answer alike, and bill its calls to one endpoint in its normal form."""
    doors.endpoints.clear()
    statuses = doors.ask(method, path, headers)
    assert statuses[0] == statuses[1]
    assert max(statuses) < 500
    assert len(set(doors.endpoints)) <= 1
    assert not any("//" in endpoint or endpoint[1:].endswith("/") for endpoint in doors.endpoints)
    for turnout in doors.turnouts:
        states = [turnout.bulkhead.guard.state(turnout.bulkhead.circuit(name)) for name in (CHEAP, DEAR)]
        assert all(state.phase == "closed" and not state.failures for state in states)
