"""Connects to Redis by URL: one server, a socket file, behind Sentinel, or the node of a Cluster that has our keys.

redis://[[user]:password@]host[:port][/db]      rediss:// the same over TLS, unix://[[user]:password@]/path[?db=0]
sentinel://[[user]:password@]host[:port][,host[:port]...]/service[/db]        rediss+sentinel:// over TLS
cluster://[[user]:password@]host[:port][,host[:port]...]                      rediss+cluster:// over TLS

What follows a `?` is redis-py's own connection arguments, such as `ssl_ca_certs=/etc/ca.pem`; for Sentinel
`sentinel_username` and `sentinel_password` are the sentinels' own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Connection, ConnectionPool, RedisCluster, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import URL_QUERY_ARGUMENT_PARSERS, AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException

from turnout.stores.redis.connection import Connect

# StoreConnection has a time-out of its own; RESP 2 is what every server speaks without a handshake.
_OPTIONS: dict[str, Any] = {"socket_timeout": None, "protocol": 2}
# The longest wait for one sentinel.
SENTINEL_S = 0.3
_SENTINEL_PORT = 26379
_REDIS_PORT = 6379


def connect_by(url: str, root: str) -> Connect:
    """Returns what opens a connection to this URL. root: the hash tag that every key begins with."""
    scheme = url.partition("://")[0]
    if scheme.endswith("sentinel"):
        return _by_sentinel(ParsedUrl.parse(url, _SENTINEL_PORT))
    if scheme.endswith("cluster"):
        return _by_cluster(ParsedUrl.parse(url, _REDIS_PORT), root)

    async def connect_to_server() -> AbstractConnection:
        pool = ConnectionPool.from_url(url, **_OPTIONS)
        return await _connect(pool.make_connection())  # type: ignore[no-untyped-call]

    return connect_to_server


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedUrl:
    """A URL of several hosts. arguments: redis-py's connection arguments."""

    hosts: tuple[tuple[str, int], ...]
    path: tuple[str, ...]
    tls: bool
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str, default_port: int) -> ParsedUrl:
        split = urlsplit(url)
        login, _, hosts = split.netloc.rpartition("@")
        user, _, password = login.partition(":")
        arguments: dict[str, Any] = {}
        for name, value in parse_qsl(split.query):
            convert = URL_QUERY_ARGUMENT_PARSERS.get(name)
            arguments[name] = convert(value) if convert is not None else value
        for name, value in (("username", user), ("password", password)):
            if value:
                arguments[name] = unquote(value)
        return cls(
            hosts=tuple(_parse_host(host, default_port) for host in hosts.split(",") if host),
            path=tuple(unquote(part) for part in split.path.split("/") if part),
            tls=split.scheme.startswith("rediss"),
            arguments=arguments,
        )


def _parse_host(text: str, default_port: int) -> tuple[str, int]:
    name, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), default_port
    return name.strip("[]"), int(number)


async def _connect(connection: AbstractConnection) -> AbstractConnection:
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _by_sentinel(url: ParsedUrl) -> Connect:
    service = url.path[0] if url.path else "mymaster"
    arguments = dict(url.arguments)
    sentinel_names = [name for name in arguments if name.startswith("sentinel_")]
    sentinel_arguments = {name.removeprefix("sentinel_"): arguments.pop(name) for name in sentinel_names}
    db = int(url.path[1]) if len(url.path) > 1 else 0

    async def connect_to_master() -> AbstractConnection:
        # One try each: the next sentinel rather than the same one again; the next request tries all of them again.
        single_try = {"socket_timeout": SENTINEL_S, "retry": Retry(NoBackoff(), 0)}
        sentinel = Sentinel(list(url.hosts), sentinel_kwargs={**single_try, **sentinel_arguments})  # type: ignore[no-untyped-call]
        pool = SentinelConnectionPool(service, sentinel, ssl=url.tls, db=db, **_OPTIONS, **arguments)  # type: ignore[no-untyped-call]
        try:
            return await _connect(pool.make_connection())  # type: ignore[no-untyped-call]
        finally:
            for client in sentinel.sentinels:
                await client.aclose()

    return connect_to_master


def _by_cluster(url: ParsedUrl, root: str) -> Connect:
    connection_class = SSLConnection if url.tls else Connection

    async def connect_to_node() -> AbstractConnection:
        nodes = [ClusterNode(host, port) for host, port in url.hosts]
        # All our keys are on one shard.
        cluster = RedisCluster(startup_nodes=nodes, ssl=url.tls, require_full_coverage=False, **url.arguments)
        try:
            await cluster.initialize()
            node = cluster.get_node_from_key(root)
            if node is None:
                raise ConnectionError("no node of the cluster holds our keys")
            return await _connect(connection_class(host=node.host, port=node.port, **_OPTIONS, **url.arguments))
        except (RedisClusterException, LookupError) as error:
            # Neither is a RedisError; a cluster without any primary raises the second.
            raise ConnectionError(str(error)) from error
        finally:
            await cluster.aclose()

    return connect_to_node
