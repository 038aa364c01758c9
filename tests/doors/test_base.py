"""What both doors have from their base: body limits, identity, errors; each driven as a server would, no socket."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.apps import settings
from tests.support.scorers import hard_or_easy
from turnout import Turnout, asgi, wsgi
from turnout.testing import ScriptedProvider

CHAT = "/v1/chat/completions"
BODY = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
Pairs = list[tuple[str, str]]
Post = Callable[[Turnout, Pairs, bytes], tuple[int, bytes]]


def post_asgi(turnout: Turnout, headers: Pairs, body: bytes) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def scenario() -> None:
        received = iter([{"type": "http.request", "body": body}])

        async def receive() -> Any:
            message = next(received, None)
            if message is None:
                await asyncio.get_running_loop().create_future()
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": raw}
        await asgi.TurnoutMiddleware(None, turnout=turnout)(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(scenario())
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


def post_wsgi(turnout: Turnout, headers: Pairs, body: bytes) -> tuple[int, bytes]:
    statuses: list[str] = []
    names = [(name.upper().replace("-", "_"), value) for name, value in headers]
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": CHAT,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        **{name if name == "CONTENT_LENGTH" else f"HTTP_{name}": value for name, value in names},
    }
    door = wsgi.TurnoutMiddleware(None, turnout=turnout)  # type: ignore[arg-type]
    answer = b"".join(door(environ, lambda status, headers, *_: statuses.append(status)))
    return int(statuses[0].partition(" ")[0]), answer


@pytest.fixture(params=[post_asgi, post_wsgi], ids=["asgi", "wsgi"])
def post(request: pytest.FixtureRequest) -> Post:
    """Posts a chat completion through one of the doors."""
    door: Post = request.param
    return door


def built(observer: Any = None, **sections: Any) -> Turnout:
    config = settings("http://127.0.0.1:1/v1", **{"server": {"max_body_bytes": 200}, **sections})
    return Turnout(config, provider=ScriptedProvider(), scorer=hard_or_easy(), observer=observer)


@pytest.mark.parametrize(
    ("length", "status"),
    [("abc", 400), ("-1", 400), ("\u00b2", 400), ("1.0", 400), ("201", 413), ("9" * 5000, 413), (str(len(BODY)), 200)],
)
def test_a_content_length_is_a_number_within_the_limit(post: Post, length: str, status: int) -> None:
    """At both doors alike, and told in OpenAI's shape."""
    answered, body = post(built(), [("content-length", length)], BODY)
    assert answered == status
    assert ("error" in json.loads(body)) == (status != 200)


def test_a_body_that_names_no_length_is_bounded_too(post: Post) -> None:
    """413 for what turns out larger than the limit."""
    assert post(built(), [], BODY)[0] == 200
    assert post(built(), [], BODY + b" " * 200)[0] == 413


class Watching:
    """An Observer that keeps each request's user; `defect` is raised in its place at the start of one."""

    def __init__(self, defect: Exception | None = None) -> None:
        self.users: list[str] = []
        self._defect = defect

    def request_started(self, request_id: str) -> None:
        if self._defect is not None:
            raise self._defect

    def request_ended(self, token: Any, outcome: Any) -> None:
        self.users.append(outcome.user)

    def attempt_started(self, token: Any, call: Any, **more: Any) -> None: ...

    def attempt_ended(self, token: Any, attempt: Any) -> None: ...

    def event(self, token: Any, name: str, attributes: Any) -> None: ...


def test_a_bearer_token_never_is_the_user_id(post: Post) -> None:
    """Its hash is: the same for the same token, another for another."""
    observer = Watching()
    turnout = built(observer, identity={"bearer": True})
    for token in ("sk-first-secret", "sk-first-secret", "sk-other-secret"):
        assert post(turnout, [("authorization", f"Bearer {token}")], BODY)[0] == 200
    assert observer.users[0] == observer.users[1] != observer.users[2]
    assert not any("secret" in user for user in observer.users)


def test_a_defect_of_ours_is_told_without_its_text(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """500 with the request's id for the caller; the text is for the log."""
    status, body = post(built(Watching(RuntimeError("row 7 of /srv/secret.db is broken"))), [], BODY)
    assert status == 500
    assert json.loads(body)["error"]["message"].startswith("internal error; request req_")
    assert b"secret" not in body
    assert "/srv/secret.db" in caplog.text


def test_head_is_answered_without_a_body() -> None:
    """With the headers of GET, its length included, at both doors."""
    sent: list[Any] = []

    async def scenario() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "HEAD", "path": "/v1/models", "headers": []}
        await asgi.TurnoutMiddleware(None, turnout=built())(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(scenario())
    length = int(dict(sent[0]["headers"])[b"content-length"])
    assert length > 0
    assert [message["body"] for message in sent[1:]] == [b""]
    door = wsgi.TurnoutMiddleware(None, turnout=built())  # type: ignore[arg-type]
    lengths: list[str] = []
    environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/v1/models"}
    answer = door(environ, lambda status, headers, *_: lengths.append(dict(headers)["content-length"]))
    assert b"".join(answer) == b""
    assert int(lengths[0]) == length


def test_two_identity_headers_that_differ_are_refused(post: Post) -> None:
    """Whoever sends both would be one user to a proxy and another to the app. WSGI servers join them by a comma."""
    observer = Watching()
    turnout = built(observer, identity={"user_header": "x-user-id", "bearer": True})
    twice = [("X-User-Id", "ann"), ("X-User-Id", "bob")] if post is post_asgi else [("X-User-Id", "ann,bob")]
    status, body = post(turnout, twice, BODY)
    assert status == 400
    assert "x-user-id" in json.loads(body)["error"]["message"]
    tokens = [("Authorization", f"Bearer {token}") for token in "ab"]
    assert post(turnout, tokens if post is post_asgi else [("Authorization", "Bearer a, Bearer b")], BODY)[0] == 400
    assert observer.users == []
    same = [("X-User-Id", "ann"), ("X-User-Id", "ann")] if post is post_asgi else [("X-User-Id", "ann, ann")]
    assert post(turnout, same, BODY)[0] == 200
    assert observer.users == ["ann"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Authorization", "Bearer a"), ("X-Api-Key", "b")], 400),
        ([("Authorization", "Bearer a"), ("X-Api-Key", "a")], 200),
        ([("X-Api-Key", "a")], 200),
        ([("Authorization", 'Digest username="a", realm="b"')], 200),
        ([("Authorization", "Basic a,Bearer b")], 400),
        ([("X-User-Id", "Doe, John")], 400),
        ([("X-User-Id", "ann"), ("Authorization", "Bearer a"), ("X-Api-Key", "b")], 200),
    ],
)
def test_headers_that_say_who_asks_mean_the_same_at_both_doors(post: Post, headers: Pairs, status: int) -> None:
    """Of two that differ neither is believed, nor one with a comma, which WSGI servers make of two."""
    turnout = built(identity={"user_header": "x-user-id", "bearer": True})
    assert post(turnout, headers, BODY)[0] == status


def repeated(post: Post, name: str, *values: str) -> Pairs:
    """As a server of this door hands in a header that was sent more than once."""
    return [(name, value) for value in values] if post is post_asgi else [(name, ",".join(values))]


def test_a_header_sent_twice_means_the_same_at_both_doors(post: Post) -> None:
    """Every one of its values counts, in their order."""
    provider = ScriptedProvider()
    config = settings("http://127.0.0.1:1/v1", cache={"scope": "app"}, identity={"anonymous_cache": True})
    turnout = Turnout(config, provider=provider, scorer=hard_or_easy())
    for directives, calls in (((), 1), (("max-age=60",), 1), (("max-age=60", "no-cache"), 2)):
        headers = repeated(post, "Cache-Control", *directives) if directives else []
        assert post(turnout, headers, BODY)[0] == 200
        assert provider.calls.total() == calls
    status, body = post(turnout, repeated(post, "x-turnout-deadline-ms", "5000", "6000"), BODY)
    assert (status, json.loads(body)["error"]["param"]) == (400, "x-turnout-deadline-ms")


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br", 415), ("identity", 200), ("", 200)])
def test_a_compressed_body_is_refused_by_its_kind(post: Post, encoding: str, status: int) -> None:
    """Not as JSON that is wrong."""
    body = gzip.compress(BODY) if encoding == "gzip" else BODY
    assert post(built(), [("Content-Encoding", encoding)], body)[0] == status
