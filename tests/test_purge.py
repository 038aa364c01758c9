"""A user who is purged leaves no word: every store is filled by him, and searched byte for byte."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import types
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from turnout import Turnout
from turnout.asgi import TurnoutMiddleware
from turnout.caching import entries
from turnout.testing import Says, ScriptedProvider

# Made here, so that no constant of this module holds them whole.
ASKED, ANSWERED = "zanz".upper() + "ibar", "quag".upper() + "ga"
ANN = {"x-user-id": "ann"}
SKIPPED = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType)


def config(path: Path, **sections: Any) -> dict[str, Any]:
    names = ("openai/small", "openai/large", "openai/embed")
    return {
        "tiers": {"cheap": {"models": [names[0]]}, "expensive": {"models": [names[1]]}},
        "models": {name: {"input_usd_per_million": 1, "output_usd_per_million": 1} for name in names},
        "routing": {"threshold": 1.0},
        "identity": {"user_header": "x-user-id"},
        "limits": {"per_user": "1000/minute"},
        "budgets": {"per_user": "10/day"},
        "queue": {"path": str(path / "jobs.sqlite")},
        "status": {"token_env": "TURNOUT_TEST_TOKEN"},
        **sections,
    }


def words_in(data: bytes) -> bool:
    """Whether one of his words stands in these bytes, plain or deflated."""
    if ASKED.encode() in data or ANSWERED.encode() in data:
        return True
    for mark in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        at = data.find(mark)
        while at >= 0:
            try:
                text = zlib.decompressobj().decompress(data[at:])
            except zlib.error:
                text = b""
            if ASKED.encode() in text or ANSWERED.encode() in text:
                return True
            at = data.find(mark, at + 1)
    return False


def in_redis(url: str) -> list[bytes]:
    """The keys that hold one of his words, or are named by one."""
    if not url:
        return []
    with redis.Redis.from_url(url) as client:
        return [key for key in client.scan_iter(count=1000) if words_in(key + b"".join(values(client, key)))]


def values(client: Any, key: bytes) -> Iterator[bytes]:
    match client.type(key):
        case b"string":
            yield client.get(key) or b""
        case b"hash":
            for pair in client.hgetall(key).items():
                yield from pair
        case b"zset":
            yield from client.zrange(key, 0, -1)
        case b"list":
            yield from client.lrange(key, 0, -1)
        case b"set":
            yield from client.smembers(key)
        case b"stream":
            yield repr(client.xrange(key)).encode()


def in_files(path: Path) -> list[str]:
    return [file.name for file in path.iterdir() if words_in(file.read_bytes())]


def in_memory(*roots: Any) -> list[str]:
    """What holds one of his words, of all that these objects lead to; their classes and modules aside."""
    seen, found, left = set(), [], list(roots)
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, SKIPPED):
            continue
        seen.add(id(item))
        if isinstance(item, str | bytes):
            if words_in(item.encode("utf-8", "replace") if isinstance(item, str) else item):
                found.append(repr(item)[:80])
            continue
        left.extend(gc.get_referents(item))
    return found


async def fill(http: httpx.AsyncClient) -> None:
    """Every path that a user's words take."""
    ask = [{"role": "user", "content": f"tell me of {ASKED}"}]
    for body in ({}, {"stream": True}, {"model": "openai/large"}):
        assert (await http.post("/v1/chat/completions", json={"messages": ask, **body})).status_code == 200
        # And a hit, which is kept unpacked.
        await http.post("/v1/chat/completions", json={"messages": ask, **body})
    session = {"x-session-id": "one"}
    await http.post("/v1/chat/completions", json={"messages": [*ask, *ask]}, headers=session)
    made = await http.post("/v1/messages", json={"model": "auto", "max_tokens": 9, "messages": ask})
    assert made.status_code == 200, made.text
    first = (await http.post("/v1/responses", json={"model": "auto", "input": f"{ASKED} one"})).json()
    more = {"model": "auto", "input": f"{ASKED} two", "previous_response_id": first["id"], "stream": True}
    assert "response.completed" in (await http.post("/v1/responses", json=more)).text
    vectors = await http.post("/v1/embeddings", json={"model": "openai/embed", "input": [ASKED, f"{ASKED} too"]})
    assert vectors.status_code == 200, vectors.text
    job = await http.post(
        "/v1/chat/completions", json={"messages": ask, "seed": 3}, headers={"prefer": "respond-async"}
    )
    assert job.status_code == 202, job.text
    ended = await http.get(job.headers["location"], headers={"prefer": "wait=20"})
    assert ended.json()["status"] == "done", ended.text
    rating = {"request_id": made.headers["x-request-id"], "quality": 0.5}
    assert (await http.post("/turnout/feedback", json=rating)).status_code == 204


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_a_purged_user_leaves_no_word_anywhere(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Answers, streams, conversations, responses, vectors, jobs and ratings: found by the search before, gone after. In
    a process of its own: what other tests' loops still hold is not this user's app."""
    url = request.getfixturevalue("redis_server").url if store == "redis" else ""
    command = [sys.executable, "-c", "import sys; from tests.test_purge import check; check(*sys.argv[1:])"]
    environment = {**os.environ, "TURNOUT_TEST_TOKEN": "token"}
    subprocess.run([*command, str(tmp_path), url], check=True, cwd=Path(__file__).parent.parent, env=environment)


def check(folder: str, url: str) -> None:
    """Fills every store by one user, purges him and searches. url: of the Redis; "": none."""
    tmp_path = Path(folder)
    sections = {"redis": {"url": url, "prefix": "purge", "timeout_s": 2.0}} if url else {}

    async def main() -> None:
        says = Says(f"much of {ANSWERED}")
        provider = ScriptedProvider({name: [says] for name in ("openai/small", "openai/large", "openai/embed")})
        turnout = Turnout(config(tmp_path, **sections), provider=provider, works=True)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("no path here is the app's own")

        async with turnout:
            transport = httpx.ASGITransport(TurnoutMiddleware(app, turnout=turnout))
            async with httpx.AsyncClient(transport=transport, base_url="http://app", headers=ANN) as http:
                await fill(http)
            provider.seen.clear()
            del transport, http
            provider.say("openai/small", "")
            provider.say("openai/large", "")
            provider.say("openai/embed", "")
            del says
            roots = (turnout, entries._unpacked)
            assert in_memory(*roots)
            assert in_redis(url) if url else in_files(tmp_path)
            assert await turnout.purge(user="ann") > 0
            for _ in range(3):
                # What a stream leaves behind ends on the loop, once it is found.
                gc.collect()
                await asyncio.sleep(0)
            for left in (in_memory(*roots), in_redis(url), in_files(tmp_path)):
                assert not left, left

    asyncio.run(main())
