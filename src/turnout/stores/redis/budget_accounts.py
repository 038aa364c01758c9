"""Who has spent anything, as Redis knows it: the keys of the accounts. For people who look, not for requests."""

from __future__ import annotations

import re

from turnout.stores.redis.client import RedisClient


async def spenders(seats: RedisClient) -> list[str]:
    """The keys of all budget accounts of windows that are still kept, sorted. Raises LineDown."""
    head = f"{seats.root}:b:"
    line, cursor, found = await seats.here().line(), b"0", set()
    pattern = re.sub(r"([\\[\]*?])", r"\\\1", head) + "*"
    while True:
        cursor, names = await line.ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
        for name in (name.decode() for name in names):
            window, _, key = name.removeprefix(head).partition(":")
            if not (window.startswith("r") and key.endswith(":z")):
                found.add(key)
        if cursor == b"0":
            return sorted(found)
