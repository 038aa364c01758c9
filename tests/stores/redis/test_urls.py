"""Every form of URL reaches a real server of its kind, and a wrong password is reported as such."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from turnout.ports.admission import Ask, Hit, Lead, NewEntry, Settlement
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable
from turnout.stores.redis.gate import Bounds, RedisGate
from turnout.stores.redis.urls import ParsedUrl

Start = Callable[..., RedisServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, ended with the test."""
    with ExitStack() as stack:

        def start(*options: str, **how: object) -> RedisServer:
            server = RedisServer(*options, **how)  # type: ignore[arg-type]
            stack.callback(server.kill)
            return server

        yield start


def _stored_and_found(url: str) -> bool:
    """Whether what one process stores there, another finds."""

    async def main() -> bool:
        prefix = secrets.token_hex(6)
        one, other = (
            RedisGate(RedisClient(url=url, prefix=prefix, timeout_s=5.0), Bounds(max_entries=9, max_bytes=9999))
            for _ in range(2)
        )
        try:
            verdict = (await one.enter(Ask(key=b"k"))).verdict
            assert isinstance(verdict, Lead)
            store = NewEntry(packed=b"answer", ttl_s=10, stale_s=10)
            await one.leave(Settlement(key=b"k", lease=verdict.lease, store=store))
            return isinstance((await other.enter(Ask(key=b"k"))).verdict, Hit)
        finally:
            await one.close()
            await other.close()

    return asyncio.run(main())


def _port_with_a_bus() -> int:
    """A node talks to others on its port plus 10,000."""
    for port in range(20_000, 50_000, 7):
        with socket.socket() as one, socket.socket() as bus:
            if one.connect_ex(("127.0.0.1", port)) and bus.connect_ex(("127.0.0.1", port + 10_000)):
                return port
    raise RuntimeError("no free port")


def test_a_password_and_a_database(start: Start) -> None:
    """Asked for and given; without it the error says so."""
    server = start("--requirepass", "s%cret")
    assert _stored_and_found(f"redis://:s%25cret@127.0.0.1:{server.port}/3")
    with pytest.raises(StoreUnreachable, match=r"(?i)auth"):
        _stored_and_found(server.url)


def test_a_socket_file(start: Start, tmp_path: Path) -> None:
    """unix://"""
    start("--unixsocket", str(tmp_path / "redis.sock"))
    assert _stored_and_found(f"unix://{tmp_path / 'redis.sock'}?db=1")


def test_behind_sentinel(start: Start, tmp_path: Path) -> None:
    """The master that the sentinels name; a sentinel that is not there is passed over."""
    server = start()
    file = tmp_path / "sentinel.conf"
    file.write_text(f"sentinel monitor mine 127.0.0.1 {server.port} 1\n", "utf-8")
    sentinel = start(mode=(str(file), "--sentinel"))
    assert _stored_and_found(f"sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/mine/2")


def test_a_cluster(start: Start, tmp_path: Path) -> None:
    """Every key of ours is on one shard, so that the scripts run there."""
    nodes = str(tmp_path / "nodes.conf")
    node = start("--cluster-enabled", "yes", "--cluster-config-file", nodes, port=_port_with_a_bus())
    for first in range(0, 16384, 4096):
        node.ask(b"CLUSTER ADDSLOTS " + b" ".join(b"%d" % slot for slot in range(first, first + 4096)))
    for _ in range(500):
        if b"cluster_state:ok" in node.ask(b"CLUSTER INFO"):
            break
        time.sleep(0.01)
    assert _stored_and_found(f"cluster://127.0.0.1:{node.port}")


def test_a_cluster_that_holds_nothing_is_an_outage(start: Start, tmp_path: Path) -> None:
    """As any Redis that cannot be asked."""
    nodes = str(tmp_path / "nodes.conf")
    node = start("--cluster-enabled", "yes", "--cluster-config-file", nodes, port=_port_with_a_bus())
    with pytest.raises(StoreUnreachable):
        _stored_and_found(f"cluster://127.0.0.1:{node.port}")


def test_a_url_of_several_hosts_is_read_whole() -> None:
    """Hosts, ports, names and passwords with escapes, TLS, redis-py's own arguments."""
    url = ParsedUrl.parse("rediss+sentinel://ann:p%40ss@one,[::1]:7,two:8/mine/2?ssl_ca_certs=/ca.pem", 26379)
    assert url.hosts == (("one", 26379), ("::1", 7), ("two", 8))
    assert url.path == ("mine", "2")
    assert url.tls
    assert url.arguments == {"username": "ann", "password": "p@ss", "ssl_ca_certs": "/ca.pem"}
