"""The Redis access that docs/security.md prints is enough for all that Turnout does, and for nothing else's keys."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.cli import main
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.ports.semantic import SemanticEntry
from turnout.testing import FixedScorer, Says, ScriptedProvider

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
ANN = Caller(user="ann", endpoint="/ask")
PRICE = {"input_usd_per_million": 1, "output_usd_per_million": 1}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis where nobody but the printed user may do anything."""
    printed = re.search(r"<!-- acl -->\n```\n(.*)\n```", PAGE.read_text("utf-8"))
    assert printed is not None
    server = RedisServer()
    assert server.ask(printed[1].replace("A-LONG-PASSWORD", "secret").encode()) == b"+OK\r\n"
    yield server
    server.kill()


def config(server: RedisServer) -> dict[str, Any]:
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": dict.fromkeys(("openai/small", "openai/large"), PRICE),
        "routing": {"max_expensive_share": 0.5},
        "limits": {"per_user": ["1000/minute", "1M tokens/hour"]},
        "budgets": {"per_user": "1/day", "total": "5/24h", "alert_at": [0.000001]},
        "breaker": {"failures": 1},
        "cache": {"scope": "app"},
        "queue": {"in_app": True, "result_ttl_s": 1},
        "redis": {"url": f"redis://turnout:secret@127.0.0.1:{server.port}/0", "timeout_s": 2.0},
    }


def jobs_of(turnout: Turnout) -> Any:
    """The store of its jobs."""
    return turnout._parts.queue.store  # type: ignore[union-attr]


def test_the_printed_access_is_enough(
    server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Misses, hits, streams, followers at another worker, budgets, circuits, `purge` and `spend`."""
    provider = ScriptedProvider({"openai/small": [Says("four", after_s=0.3)]}, clock=SystemClock())

    async def scenario() -> None:
        first, second = (Turnout(config(server), provider=provider, scorer=FixedScorer(0.1)) for _ in range(2))
        async with first, second:
            answers = await asyncio.gather(
                first.complete("same", caller=ANN, model="cheap"), second.complete("same", caller=ANN, model="cheap")
            )
            assert [answer.text for answer in answers] == ["four"] * 2
            await first._pipeline.drain()
            await second._pipeline.drain()
            again = await second.complete("same", caller=ANN, model="cheap")
            assert again.outcome.cache == "hit"
            assert "".join([chunk.text async for chunk in first.stream("other", caller=ANN)])
            submitted = await first.submit("later", caller=ANN, model="cheap", stream=True)
            done, path = "", submitted.location
            while done not in ("done", "failed"):
                await asyncio.sleep(0.02)
                done = str((await jobs_of(second).find(path.rpartition("/")[2])).status)
            assert done == "done"
            await jobs_of(first).list_jobs()
            await jobs_of(first).sweep()
            assert await first.purge(user="ann") > 0
            questions, others = first._parts.stores.semantic(), second._parts.stores.semantic()
            for number in range(2):
                entry = SemanticEntry(
                    key=bytes([number]) * 16,
                    scope=b"s" * 16,
                    question="q",
                    vector=bytes(8),
                    fresh_until=9e9,
                )
                await questions.add(entry)
                await others.sync()  # type: ignore[attr-defined]
            assert len(await others.nearest(b"s" * 16, bytes(8), 5, 1.0)) == 2
            assert (await others.remove(bytes(16)), await others.purge()) == (True, 1)
            await others.close()

    asyncio.run(scenario())
    assert not [record for record in caplog.records if "cannot be used" in record.getMessage()]
    settings = tmp_path / "turnout.toml"
    url = config(server)["redis"]["url"]
    settings.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[budgets]\nper_user = "1/day"\n[redis]\nurl = "{url}"\n'
    )
    assert main(["spend", "--config", str(settings), "--json"]) == 0
    assert float(json.loads(capsys.readouterr().out)[0]["spent_usd"]) > 0


@pytest.mark.parametrize("command", [b"GET other", b"FLUSHALL", b"CONFIG GET maxmemory", b"KEYS *", b"PUBLISH x y"])
def test_the_printed_access_reaches_nothing_else(server: RedisServer, command: bytes) -> None:
    """Others' keys and channels, and the server itself, are denied."""
    with socket.create_connection(("127.0.0.1", server.port), 2) as connection:
        connection.settimeout(2)
        connection.sendall(b"AUTH turnout secret\r\n")
        assert connection.recv(100) == b"+OK\r\n"
        connection.sendall(command + b"\r\n")
        assert connection.recv(1000).startswith(b"-NOPERM")
