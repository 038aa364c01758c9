"""Hostile callers: each keeps two connections for the length of a cell, and is a process apart from the honest user."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from hostile.bodies import LARGE, PROVOKED, SLY, Body

CONNECTIONS = 2
_CHAT = "/v1/chat/completions"
_SMALL = PROVOKED["refused as invalid"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the app listens, until when (time.monotonic) to attack it, and as which user."""

    port: int
    until: float
    user: str

    @property
    def left_s(self) -> float:
        return max(0.05, self.until - time.monotonic())


Attack = Callable[[Target, int], Awaitable[str]]


def head(user: str, path: str, length: int | None, *headers: str, method: str = "POST") -> bytes:
    """A request's head. user: "" for none; length: of its body, None: not told."""
    lines = [f"{method} {path} HTTP/1.1", "host: app", "connection: close", "content-type: application/json"]
    lines += [f"x-user-id: {user}"] if user else []
    lines += [] if length is None else [f"content-length: {length}"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("utf-8", "surrogateescape")


async def exchange(target: Target, payload: bytes, *, read_s: float = 60.0) -> str:
    """Sends these bytes and reads to the end; the status, or what happened in its place."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    except OSError:
        await asyncio.sleep(0.05)
        return "refused"
    try:
        async with asyncio.timeout(min(read_s, target.left_s)):
            with contextlib.suppress(ConnectionError):
                writer.write(payload)
                await writer.drain()
            status = (await reader.read(64)).split(b" ")[1:2]
            while await reader.read(1 << 18):
                pass
            return status[0].decode() if status else "closed"
    except TimeoutError:
        return "given up"
    except ConnectionError:
        return "closed"
    finally:
        writer.transport.abort()


def post(body: Body, *headers: str, path: str = _CHAT) -> Attack:
    """Asks with this body, again and again."""

    async def attack(target: Target, number: int) -> str:
        content = body(number)
        return await exchange(target, head(target.user, path, len(content), *headers) + content)

    return attack


async def _paths(target: Target, number: int) -> str:
    """Paths that name keys: a colon, a NUL, another index, and 8 KB of them."""
    odd = (f"{number % 50}:z", f"user:honest:{number}", f"%00{number}", "a" * 8000 + str(number))[number % 4]
    return await exchange(target, head(target.user, f"/item/{odd}?q=hostile-{number}", None, method="GET"))


async def _gets(target: Target, number: int) -> str:
    method, path = (("GET", "/v1/models"), ("GET", f"/none/{number}"), ("OPTIONS", _CHAT), ("PUT", _CHAT))[number % 4]
    return await exchange(target, head(target.user, path, None, method=method))


async def _invented_users(target: Target, number: int, header: str) -> str:
    content = _SMALL(number)
    return await exchange(target, head("", _CHAT, len(content), f"{header}{number}-{time.monotonic_ns()}") + content)


async def _slow_head(target: Target, number: int) -> str:
    """A header byte every 50 ms, never the end of the head."""
    return await _dripped(target, b"POST /v1/chat/completions HTTP/1.1\r\nhost: app\r\nx-a: ")


async def _slow_body(target: Target, number: int) -> str:
    """A body of which a byte comes every 50 ms."""
    return await _dripped(target, head(target.user, _CHAT, 100_000))


async def _dripped(target: Target, opening: bytes) -> str:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(opening)
        while target.left_s > 0.06:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.transport.abort()
    except OSError:
        await asyncio.sleep(0.05)
        return "closed"
    return "dripped"


async def _hang_up(target: Target, number: int, after_s: float) -> str:
    """Leaves without its answer."""
    content = SLY["max_tokens of a billion"](number)
    return await exchange(target, head(target.user, _CHAT, len(content)) + content, read_s=after_s)


async def _smuggled(target: Target, number: int) -> str:
    """Two lengths, or a chunk size that is none."""
    content = _SMALL(number)
    if number % 2:
        return await exchange(target, head(target.user, _CHAT, len(content), "transfer-encoding: chunked") + content)
    return await exchange(target, head(target.user, _CHAT, None, "transfer-encoding: chunked") + b"zz\r\n" + content)


async def _stalled(target: Target, number: int) -> str:
    """Begins a long stream and reads no further."""
    content = PROVOKED["refused as invalid"](number).replace(b"play:invalid", b"play:many")
    content = content[:-1] + b', "stream": true}'
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(connection, ("127.0.0.1", target.port))
        await loop.sock_sendall(connection, head(target.user, _CHAT, len(content)) + content)
        await asyncio.sleep(target.left_s)
        return "stalled"
    except OSError:
        return "closed"
    finally:
        connection.close()


async def _pipelined(target: Target, number: int) -> str:
    """Fifty requests in one breath."""
    content = _SMALL(number)
    one = head(target.user, _CHAT, len(content)).replace(b"connection: close\r\n", b"") + content
    return await exchange(target, one * 50, read_s=2.0)


def _streamed(play: str) -> Body:
    return lambda n: _SMALL(n).replace(b"play:invalid", play.encode())[:-1] + b', "stream": true}'


def _same(body: bytes) -> Body:
    return lambda number: body


ATTACKS: dict[str, Attack] = {
    **{name: post(body) for name, body in (LARGE | SLY | PROVOKED).items()},
    "a deadline of 0.001 ms": post(SLY["max_tokens of a billion"], "x-turnout-deadline-ms: 0.001"),
    "odd numbers in headers": post(_SMALL, "x-turnout-deadline-ms: 1e400", "prefer: wait=9e9", "priority: u=9e9"),
    "odd paths": _paths,
    "other methods": _gets,
    "invented users": partial(_invented_users, header="x-user-id: "),
    "slow head": _slow_head,
    "slow body": _slow_body,
    "hang-ups at once": partial(_hang_up, after_s=0.02),
    "hang-ups in mid-call": partial(_hang_up, after_s=0.2),
    "two lengths": _smuggled,
    "stalled readers": _stalled,
    "a long stream": post(_streamed("play:slow")),
    "pipelined": _pipelined,
    "hits without end": post(_same(SLY["two choices streamed"](0).replace(b'"n": 2, ', b""))),
}  # fmt: skip


def serve(pipe: Connection) -> None:
    """Runs the attacks that it is asked for: (name, port, seconds) -> how often each status was seen."""
    while (order := pipe.recv()) is not None:
        name, port, seconds = order
        pipe.send(asyncio.run(run(ATTACKS[name], Target(port, time.monotonic() + seconds, user_of(name)))))


def user_of(name: str) -> str:
    """Each caller is a user of its own: none finds its budget used up by another's cell."""
    return f"mallory-{list(ATTACKS).index(name)}"


async def run(attack: Attack, target: Target) -> dict[str, int]:
    statuses: Counter[str] = Counter()

    async def connection(lane: int) -> None:
        number = lane
        while time.monotonic() < target.until:
            statuses[await attack(target, number)] += 1
            number += CONNECTIONS

    await asyncio.gather(*(connection(lane) for lane in range(CONNECTIONS)))
    return dict(statuses)
