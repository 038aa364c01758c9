"""`turnout cache purge`: what the workers share, from the command line."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.cli import main
from turnout.clock import SystemClock
from turnout.context import Caller, user_key
from turnout.ports.admission import NewEntry
from turnout.ports.semantic import SemanticEntry
from turnout.settings import Settings
from turnout.stores.memory.semantic_store import MemorySemanticStore
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.semantic_store import RedisSemanticStore
from turnout.stores.sqlite.entries import SqliteEntries
from turnout.testing import FixedScorer, ScriptedProvider

TIERS = '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
PRICES = "".join(
    f'[models."openai/{name}"]\ninput_usd_per_million = 1\noutput_usd_per_million = 1\n' for name in ("small", "large")
)


@pytest.fixture
def config(tmp_path: Path, redis_server: RedisServer) -> Path:
    """Settings of a cache that holds an answer each of ann, bob and a user whose name is not ASCII."""
    file = tmp_path / "turnout.toml"
    redis = f'[redis]\nurl = "{redis_server.url}"\nprefix = "test-{secrets.token_hex(6)}"\ntimeout_s = 5\n'
    file.write_text(f"{TIERS}{PRICES}[routing]\nthreshold = 0.5\n{redis}", "utf-8")

    async def fill() -> None:
        async with Turnout(file, provider=ScriptedProvider(), scorer=FixedScorer(0.1)) as turnout:
            for user in ("ann", "bob", "zo\u00eb"):
                await turnout.complete("q", caller=Caller(user=user, endpoint="/ask"))

    asyncio.run(fill())
    return file


def _purged(capsys: pytest.CaptureFixture[str], config: Path, *which: str) -> int:
    assert main(["cache", "purge", "--config", str(config), "--json", *which]) == 0
    count: int = json.loads(capsys.readouterr().out)["purged"]
    return count


def test_it_purges_what_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By user, by endpoint, all; it says how many."""
    assert _purged(capsys, config, "--user", "nobody") == 0
    assert _purged(capsys, config, "--user", "ann") == 1
    assert _purged(capsys, config, "--user", "ann") == 0
    assert _purged(capsys, config, "--user", "zo\u00eb") == 1
    assert _purged(capsys, config, "--endpoint", "/ask") == 1
    assert _purged(capsys, config, "--all") == 0


def test_questions_with_a_semantic_answer_go_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user's own, in Redis and so in every worker's index."""
    redis = Settings.from_toml(config).redis
    assert redis is not None

    async def held(*entries: SemanticEntry) -> int:
        client = RedisClient(url=redis.url, prefix=redis.prefix, timeout_s=5.0)
        indexes = list[MemorySemanticStore]()

        def index() -> MemorySemanticStore:
            indexes.append(MemorySemanticStore(max_entries=10))
            return indexes[-1]

        store = RedisSemanticStore(client, index=index, max_entries=10, wall=time.time)
        for entry in entries:
            await store.add(entry)
        await store.sync()
        await client.close()
        return len(indexes[-1])

    until, vector = time.time() + 100, bytes(8)
    whose = [("ann", b"a" * 16), ("bob", b"b" * 16)]
    entries = [
        SemanticEntry(key=key, scope=key, question="q", vector=vector, fresh_until=until, user=user_key(user))
        for user, key in whose
    ]
    assert asyncio.run(held(*entries)) == 2
    _purged(capsys, config, "--user", "ann")
    assert asyncio.run(held()) == 1


def test_it_wants_to_be_told_what(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing named, or all beside a name, is wrong use."""
    for which in ([], ["--all", "--user", "ann"]):
        assert main(["cache", "purge", "--config", str(config), *which]) == 2
        assert "--all" in capsys.readouterr().err
    assert _purged(capsys, config, "--all") == 3


def test_kept_responses_in_the_jobs_file_go_by_user_endpoint_and_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no Redis; it says how many, and that answers lie where it cannot reach."""
    file = tmp_path / "turnout.toml"
    file.write_text(f"{TIERS}[queue]\n", "utf-8")
    whose = [("ann", "/v1/responses"), ("ann", "/ask"), ("bob", "/ask"), ("bob", "/v1/responses"), ("zo\u00eb", "/x")]

    async def fill() -> None:
        entries = SqliteEntries(str(tmp_path / "turnout-jobs.sqlite"), SystemClock(), max_entries=9, max_bytes=9999)
        for number, (user, endpoint) in enumerate(whose):
            store = NewEntry(packed=b"x", ttl_s=60, stale_s=0, user=user_key(user), endpoint=endpoint)
            await entries.store_many({bytes([number]) * 16: store})
        await entries.close()

    asyncio.run(fill())
    assert _purged(capsys, file, "--user", "ann", "--endpoint", "/ask") == 1
    assert _purged(capsys, file, "--endpoint", "/ask") == 1
    assert _purged(capsys, file, "--user", "ann") == 1
    assert main(["cache", "purge", "--config", str(file), "--all"]) == 0
    told = capsys.readouterr()
    assert told.out == "2 kept responses purged\n"
    assert "own memory" in told.err


def test_without_redis_it_says_where_the_cache_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In each process' own memory."""
    file = tmp_path / "turnout.toml"
    file.write_text(TIERS, "utf-8")
    assert main(["cache", "purge", "--config", str(file), "--all"]) == 2
    assert "no [redis]" in capsys.readouterr().err


def test_a_redis_that_cannot_be_asked_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told in words, exit code 1."""
    file = tmp_path / "turnout.toml"
    file.write_text(f'{TIERS}[redis]\nurl = "redis://127.0.0.1:1/0"\n', "utf-8")
    assert main(["cache", "purge", "--config", str(file), "--all"]) == 1
    assert "cannot be asked" in capsys.readouterr().err
