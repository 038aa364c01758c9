"""One budget, four processes, sixty-four clients: never exceeded, used up, nothing left reserved."""

from __future__ import annotations

from typing import Any

import redis

from tests.support.redis_server import RedisServer
from tests.support.spenders import LIMIT, spend


def test_many_processes_never_exceed_one_budget(redis_server: RedisServer) -> None:
    """Random real costs, cancellations, one call in ten failing: neither the provider's own books nor the ledger ever
    hold more than 1 USD; at the first refusal 97 % is spoken for, and in the end spent; what the ledger has beyond
    the books is the worst case less the real cost of those calls whose usage never came."""
    redis_server.ask(b"FLUSHALL")
    did = spend(redis_server.url, workers=4, clients=16)
    with redis.Redis.from_url(redis_server.url) as client:
        account = client.get("account")
        assert account is not None
        spent, reserved = (int(value or 0) for value in client.hmget(account.decode(), "s", "r"))  # type: ignore[union-attr]
        most_books, most_ledger, books = (int(client.get(name) or 0) for name in ("most_books", "most_ledger", "books"))  # type: ignore[arg-type]
        assert client.zcard("{turnout}:leases") == 0
        redis_server.ask(b"FLUSHALL")

    def total(name: str) -> Any:
        return sum(worker.get(name, 0) for worker in did)

    assert most_books <= LIMIT
    assert most_ledger <= LIMIT
    assert reserved == 0
    first = min(refusal for worker in did for refusal in worker["refusals"])
    assert first[1] >= 0.97 * LIMIT
    assert 0.97 * LIMIT <= spent <= LIMIT
    assert spent == total("expected")
    assert books == total("charged")
    assert total("unknown") > 10
    assert total("cancelled") > 10
    assert total("served") > 100
