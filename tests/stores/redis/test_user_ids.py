"""No user's id stands in Redis: not in the name of a key, not in a value, an index, a lease or a channel."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
import redis

from tests.support.redis_server import RedisServer
from turnout.context import Caller
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.turnout import Turnout

USERS = ["ann.lee@example.com", "zo\u00eb.lind", "\u674e\u96f7", "sk-proj-0123456789"]
PRICE = {"input_usd_per_million": 1, "output_usd_per_million": 1}


def _settings(server: RedisServer, prefix: str) -> dict[str, Any]:
    """Everything on that stores something of a caller."""
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": PRICE, "openai/large": PRICE},
        "routing": {"threshold": 0.5},
        "limits": {"per_user": ["100/minute", "100k tokens/hour"], "per_user_endpoint": "100/minute"},
        "budgets": {"per_user": ["1/day", "5/24h"], "alert_at": [0.0001]},
        "redis": {"url": server.url, "prefix": prefix, "timeout_s": 5.0},
    }


def _dump(client: Any, key: bytes) -> bytes:
    """Everything that a key holds."""
    match client.type(key):
        case b"string":
            value = client.get(key)
        case b"hash":
            value = client.hgetall(key)
        case b"zset":
            value = client.zrange(key, 0, -1)
        case b"list":
            value = client.lrange(key, 0, -1)
        case b"none":
            # Its time was over between the listing and here.
            return b""
        case kind:
            raise AssertionError(f"{key!r} is of kind {kind!r}: read it here")
    # A container's own text escapes what is not ASCII: joined, the bytes stay as they are.
    if isinstance(value, dict):
        return b"\n".join(part for pair in value.items() for part in pair)
    return value if isinstance(value, bytes) else b"\n".join(value)


def test_no_key_and_no_value_holds_a_users_id(redis_server: RedisServer) -> None:
    """In flight and afterwards, with limits, budgets and a cache; purging by the id finds its answer."""
    prefix = f"test-{secrets.token_hex(6)}"

    async def scenario() -> None:
        with redis.Redis.from_url(redis_server.url) as client:

            def kinds_and_contents() -> tuple[set[bytes], bytes]:
                keys = list(client.scan_iter(f"{{{prefix}}}:*"))
                kinds = {key.removeprefix(f"{{{prefix}}}:".encode()).partition(b":")[0] for key in keys}
                return kinds, b"\n".join(part for key in keys for part in (key, _dump(client, key)))

            in_flight: list[tuple[set[bytes], bytes]] = []

            class Looking(ScriptedProvider):
                async def complete(self, call: Any) -> Any:
                    in_flight.append(kinds_and_contents())
                    return await super().complete(call)

            settings = _settings(redis_server, prefix)
            async with Turnout(settings, provider=Looking(), scorer=FixedScorer(0.1)) as turnout:
                for user in USERS:
                    await turnout.complete("q", caller=Caller(user=user, endpoint="/ask"))
                stored = kinds_and_contents()
                assert {b"f", b"l", b"leases"} <= in_flight[-1][0]
                assert {b"a", b"u", b"e", b"b", b"q", b"t", b"all"} <= stored[0]
                for _, contents in (*in_flight, stored):
                    for user in USERS:
                        assert user.encode() not in contents
                        assert user.encode("unicode_escape") not in contents
                for user in USERS:
                    assert await turnout.purge(user=user) == 1

    asyncio.run(scenario())


def test_a_long_endpoint_stands_in_redis_as_a_hash(redis_server: RedisServer) -> None:
    """Of its answer, its limits and its budgets; two that begin alike stay two, and purging finds each."""
    prefix = f"test-{secrets.token_hex(6)}"
    settings = _settings(redis_server, prefix)
    settings["limits"] |= {"per_endpoint": ["100/minute", "100k tokens/hour"]}
    settings["budgets"] |= {"per_endpoint": ["1/day", "5/24h"]}
    endpoints = ["/report/" + "a" * 5000 + last for last in "bc"]

    async def scenario() -> None:
        with redis.Redis.from_url(redis_server.url) as client:
            async with Turnout(settings, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) as turnout:
                for endpoint in endpoints:
                    await turnout.complete("q", caller=Caller(user="ann", endpoint=endpoint))
                keys = list(client.scan_iter(f"{{{prefix}}}:*"))
                assert any(b":endpoint:" in key for key in keys)
                # What an answer holds is weighed with it.
                contents = [part for key in keys for part in (key, b"" if b":a:" in key else _dump(client, key))]
                assert not any(b"a" * 200 in part for part in contents)
                assert [await turnout.purge(endpoint=endpoint) for endpoint in endpoints] == [1, 1]

    asyncio.run(scenario())


@pytest.mark.parametrize("user", USERS)
def test_a_purged_answer_is_not_served_again(user: str, redis_server: RedisServer) -> None:
    """Of this user alone."""
    settings = _settings(redis_server, f"test-{secrets.token_hex(6)}")

    async def scenario() -> None:
        async with Turnout(settings, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) as turnout:

            async def ask(user: str) -> str:
                return (await turnout.complete("q", caller=Caller(user=user))).outcome.cache

            assert [await ask(user), await ask("other"), await ask(user)] == ["miss_stored", "miss_stored", "hit"]
            assert await turnout.purge(user=user) == 1
            assert [await ask(user), await ask("other")] == ["miss_stored", "hit"]

    asyncio.run(scenario())
