"""Lists the budget accounts in Redis, for the command line: by a scan of all keys, never on a request's path."""

from __future__ import annotations

import re

from turnout.stores.redis.client import RedisClient


async def list_account_keys(client: RedisClient) -> list[str]:
    """Returns the claim keys of all budget accounts that Redis still keeps, sorted. Raises StoreUnreachable."""
    prefix = f"{client.access.root}:b:"
    connection, cursor, keys = await client.here().session.connection(), b"0", set()
    pattern = re.sub(r"([\\[\]*?])", r"\\\1", prefix) + "*"
    while True:
        cursor, names = await connection.execute("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        for name in (name.decode() for name in names):
            keys.add(name.removeprefix(prefix).partition(":")[2])
        if cursor == b"0":
            return sorted(keys)
