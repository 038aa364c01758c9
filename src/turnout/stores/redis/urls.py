"""Redis by URL: one server, a socket file, behind Sentinel, or the node of a Cluster that holds our keys.

redis://[[user]:password@]host[:port][/db]      rediss:// the same over TLS, unix://[[user]:password@]/path[?db=0]
sentinel://[[user]:password@]host[:port][,host[:port]...]/service[/db]        rediss+sentinel:// over TLS
cluster://[[user]:password@]host[:port][,host[:port]...]                      rediss+cluster:// over TLS

What follows a `?` are redis-py's own connection arguments, such as `ssl_ca_certs=/etc/ca.pem`; for Sentinel
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

# The line keeps the time itself; RESP 2 is what every server since 6.2 speaks without a greeting.
_PLAIN: dict[str, Any] = {"socket_timeout": None, "protocol": 2}
# How long one sentinel is waited for.
SENTINEL_S = 0.3
_SENTINEL_PORT = 26379
_REDIS_PORT = 6379


def connect_by(url: str, root: str) -> Connect:
    """What opens a new connection to this URL. `root`: the hash tag that all our keys are under."""
    scheme = url.partition("://")[0]
    if scheme.endswith("sentinel"):
        return _by_sentinel(Address.of(url, _SENTINEL_PORT))
    if scheme.endswith("cluster"):
        return _by_cluster(Address.of(url, _REDIS_PORT), root)

    async def alone() -> AbstractConnection:
        pool = ConnectionPool.from_url(url, **_PLAIN)
        return await _connected(pool.make_connection())  # type: ignore[no-untyped-call]

    return alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A URL of several hosts, read. arguments: redis-py's connection arguments."""

    hosts: tuple[tuple[str, int], ...]
    path: tuple[str, ...]
    tls: bool
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str, port: int) -> Address:
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        arguments: dict[str, Any] = {}
        for name, value in parse_qsl(parts.query):
            parse = URL_QUERY_ARGUMENT_PARSERS.get(name)
            arguments[name] = parse(value) if parse is not None else value
        for name, value in (("username", user), ("password", password)):
            if value:
                arguments[name] = unquote(value)
        return cls(
            hosts=tuple(_host(host, port) for host in hosts.split(",") if host),
            path=tuple(unquote(part) for part in parts.path.split("/") if part),
            tls=parts.scheme.startswith("rediss"),
            arguments=arguments,
        )


def _host(text: str, port: int) -> tuple[str, int]:
    name, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), port
    return name.strip("[]"), int(number)


async def _connected(connection: AbstractConnection) -> AbstractConnection:
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _by_sentinel(address: Address) -> Connect:
    service = address.path[0] if address.path else "mymaster"
    own = {name: value for name, value in address.arguments.items() if not name.startswith("sentinel_")}
    theirs = {
        name.removeprefix("sentinel_"): value
        for name, value in address.arguments.items()
        if name.startswith("sentinel_")
    }
    db = int(address.path[1]) if len(address.path) > 1 else 0

    async def master() -> AbstractConnection:
        # One try each: the next sentinel is asked rather than the same one again, and whoever waits asks anew.
        once = {"socket_timeout": SENTINEL_S, "retry": Retry(NoBackoff(), 0)}
        sentinel = Sentinel(list(address.hosts), sentinel_kwargs={**once, **theirs})  # type: ignore[no-untyped-call]
        pool = SentinelConnectionPool(service, sentinel, ssl=address.tls, db=db, **_PLAIN, **own)  # type: ignore[no-untyped-call]
        try:
            return await _connected(pool.make_connection())  # type: ignore[no-untyped-call]
        finally:
            for client in sentinel.sentinels:
                await client.aclose()

    return master


def _by_cluster(address: Address, root: str) -> Connect:
    kind = SSLConnection if address.tls else Connection

    async def node() -> AbstractConnection:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        # One shard is all that is needed.
        cluster = RedisCluster(startup_nodes=nodes, ssl=address.tls, require_full_coverage=False, **address.arguments)
        try:
            await cluster.initialize()
            holder = cluster.get_node_from_key(root)
            if holder is None:
                raise ConnectionError("no node of the cluster holds our keys")
            return await _connected(kind(host=holder.host, port=holder.port, **_PLAIN, **address.arguments))
        except (RedisClusterException, LookupError) as error:
            # Neither is a RedisError; the second comes of a cluster without any primary.
            raise ConnectionError(str(error)) from error
        finally:
            await cluster.aclose()

    return node
