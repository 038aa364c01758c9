"""`turnout warm`: the shared cache filled before anyone asks, at a rate, within a budget, killed and gone on with."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.cli import main
from turnout.cli.warm_target import Costs, TurnoutTarget, warming
from turnout.context import Caller
from turnout.openai.requests import from_call
from turnout.settings import Settings
from turnout.warming.prompts import WarmPrompt

CHAT = "/v1/chat/completions"


@pytest.fixture
def config(tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer) -> Path:
    """Settings of an app that shares its answers in Redis; a token costs a millionth of a USD."""
    return _written(tmp_path, provider, redis_server, '[cache]\nscope = "app"\n')


def _written(folder: Path, provider: LoopbackProvider, redis: RedisServer | None, more: str) -> Path:
    price = f'params = {{ api_base = "{provider.base_url}" }}\ninput_usd_per_million = 1\noutput_usd_per_million = 1\n'
    shared = f'[redis]\nurl = "{redis.url}"\nprefix = "w-{secrets.token_hex(6)}"\ntimeout_s = 5\n' if redis else ""
    file = folder / "turnout.toml"
    file.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[models."openai/small"]\n{price}[models."openai/large"]\n{price}'
        f"[routing]\nthreshold = 0.0\n{shared}{more}"
    )
    return file


def _prompts(folder: Path, count: int) -> Path:
    file = folder / "prompts.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"question {number}"}) + "\n" for number in range(count)))
    return file


def _warmed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    code = main(["warm", *map(str, arguments), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def _traffic(config: Path, count: int, **caller: str) -> Counter[str]:
    async def ask() -> Counter[str]:
        async with Turnout(config) as turnout:
            who = Caller(**{"user": "someone", "endpoint": CHAT, **caller})
            answers = [await turnout.complete(f"question {number}", caller=who) for number in range(count)]
        return Counter(answer.outcome.cache for answer in answers)

    return asyncio.run(ask())


def test_the_next_run_s_traffic_hits(
    config: Path, tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each prompt is paid for once; called again, all are fresh; a dry run tells the cost and asks nothing."""
    prompts = _prompts(tmp_path, 20)
    prompts.write_text(prompts.read_text() + json.dumps({"prompt": "question 3"}) + "\n{\n")
    code, plan = _warmed(capsys, prompts, "--config", config, "--dry-run")
    assert (code, plan["rows"], plan["to_warm"], plan["fresh"], plan["repeated"]) == (0, 22, 20, 0, 1)
    assert 0 < plan["estimated_usd"] < plan["worst_usd"]
    assert (provider.calls.total(), prompts.with_name("prompts.jsonl.warm").exists()) == (0, False)
    code, done = _warmed(capsys, prompts, "--config", config, "--rate", "200")
    assert (code, done["warmed"], done["fresh"], done["failed"], done["skipped"]) == (0, 20, 0, 0, 1)
    assert done["spent_usd"] > 0
    assert (provider.calls.total(), prompts.with_name("prompts.jsonl.warm").exists()) == (20, False)
    assert _warmed(capsys, prompts, "--config", config)[1]["fresh"] == 20
    assert _traffic(config, 20) == {"hit": 20}
    assert provider.calls.total() == 20


def test_killed_and_gone_on_with_nothing_is_paid_twice(
    config: Path, tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 in the middle: the next run asks for the rest, and its budget counts what the first one spent. Only what
    was under way at that moment is asked for again."""
    prompts, total = _prompts(tmp_path, 120), 120
    command = [sys.executable, "-m", "turnout", "warm", str(prompts), "--config", str(config), "--rate", "100"]
    running = subprocess.Popen([*command, "--budget", "1"], stdout=subprocess.DEVNULL, env=os.environ)
    while provider.calls.total() < 40:
        assert running.poll() is None
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    asked = Counter(body["messages"][0]["content"] for body in provider.bodies)
    _, plan = _warmed(capsys, prompts, "--config", config, "--dry-run")
    code, done = _warmed(capsys, prompts, "--config", config, "--rate", "400", "--budget", "1")
    assert (code, done["warmed"] + done["fresh"]) == (0, total)
    # What the killed run spent stands in the journal.
    assert 0 < plan["spent_usd"] < done["spent_usd"]
    again = Counter(body["messages"][0]["content"] for body in provider.bodies)
    assert set(again) == {f"question {number}" for number in range(total)}
    twice = [text for text, count in again.items() if count > 1]
    assert len(twice) <= 20
    assert done["fresh"] >= asked.total() - 20
    assert _traffic(config, total) == {"hit": total}


def test_an_answer_is_counted_once_it_is_stored(config: Path) -> None:
    """Counted before, it would be asked for and paid for again by a run after a kill."""
    target = TurnoutTarget(settings := warming(Settings.from_toml(config)), Costs(settings), budgeted=False)
    prompt = WarmPrompt(
        where="p:1", request=from_call("hi", stream=False, params={}), user="turnout-warm", endpoint=CHAT
    )
    assert target.context(prompt).stored_first


def test_the_budget_ends_it_and_is_never_passed(
    config: Path, tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every call is capped, so that its worst case is known; the rest is left, with exit code 0."""
    code, done = _warmed(capsys, _prompts(tmp_path, 50), "--config", config, "--rate", "500", "--budget", "0.0013")
    assert (code, done["ended"]) == (0, "budget")
    assert 1 <= done["warmed"] < 50
    assert done["spent_usd"] <= 0.0013
    assert all("max_tokens" in body or "max_completion_tokens" in body for body in provider.bodies)


def test_what_fails_is_told_and_asked_for_again(
    config: Path, tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 at first, 0 once the provider is back."""
    prompts = _prompts(tmp_path, 3)
    provider.modes["*"] = "400"
    code, done = _warmed(capsys, prompts, "--config", config)
    assert (code, done["warmed"], done["failed"]) == (1, 0, 3)
    provider.modes["*"] = "ok"
    code, done = _warmed(capsys, prompts, "--config", config)
    assert (code, done["warmed"], done["failed"]) == (0, 3, 0)


def test_one_user_s_answers_are_warmed_for_that_user(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """With scope "user" a user must be named; its answers are hits for it alone, and count at no limit of its."""
    config = _written(tmp_path, provider, redis_server, '[limits]\nper_user = "1/hour"\n')
    prompts = _prompts(tmp_path, 3)
    assert _warmed(capsys, prompts, "--config", config)[0] == 2
    assert _warmed(capsys, prompts, "--config", config, "--user", "ann")[1]["warmed"] == 3
    assert _traffic(config, 1, user="ann") == {"hit": 1}
    assert _traffic(config, 1, user="bob") == {"miss_stored": 1}


def test_the_log_s_most_frequent_prompts_are_warmed(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a purge, from the log that the app itself wrote: the one asked with parameters hits with them."""
    log = tmp_path / "requests.jsonl"
    more = f'[cache]\nscope = "app"\n[log]\npath = "{log}"\ncontent = true\n'
    config = _written(tmp_path, provider, redis_server, more)

    async def ask(turnout: Turnout) -> list[str]:
        often = [
            await turnout.complete("often", temperature=0, tag="faq", caller=Caller(endpoint="/ask")) for _ in "123"
        ]
        return [answer.outcome.cache for answer in (*often, await turnout.complete("once"))]

    async def traffic() -> list[str]:
        async with Turnout(config) as turnout:
            asked = await ask(turnout)
            await turnout.purge()
        return asked

    first = asyncio.run(traffic())
    assert (first[0], first[3]) == ("miss_stored", "miss_stored")
    code, done = _warmed(capsys, "--from-log", "--config", config, "--top", "1")
    assert (code, done["warmed"]) == (0, 1)
    assert asyncio.run(traffic()) == ["hit", "hit", "hit", "miss_stored"]


def test_the_semantic_cache_is_filled_too(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every worker's index has the warmed questions."""
    more = '[cache]\nscope = "app"\n[cache.semantic]\nenabled = true\n'
    config = _written(tmp_path, provider, redis_server, more)
    assert _warmed(capsys, _prompts(tmp_path, 3), "--config", config)[1]["warmed"] == 3

    async def held() -> int:
        turnout = Turnout(config)
        assert turnout._pipeline.semantic is not None
        store: Any = turnout._pipeline.semantic._similar.store
        await store.sync()
        count = len(store._index)
        await turnout.aclose()
        return count

    assert asyncio.run(held()) == 3


@pytest.mark.parametrize(
    ("more", "arguments", "said"),
    [
        ("[cache]\nenabled = false\n", ["p.jsonl"], "enabled = false"),
        ("", ["--from-log"], "[log] path"),
        ('[log]\npath = "r.jsonl"\n', ["--from-log"], "content = true"),
        ("", [], "--from-log"),
    ],
)
def test_wrong_use_says_which_line_to_add(
    more: str, arguments: list[str], said: str,
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Exit code 2, and nothing is asked."""
    config = _written(tmp_path, provider, redis_server, more)
    assert main(["warm", *arguments, "--config", str(config)]) == 2
    assert said in capsys.readouterr().err
    assert provider.calls.total() == 0


def test_without_a_shared_cache_it_says_what_to_add(
    tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers in this command's own memory would be gone at its end."""
    config = _written(tmp_path, provider, None, '[cache]\nscope = "app"\n')
    assert main(["warm", str(_prompts(tmp_path, 1)), "--config", str(config)]) == 2
    assert "[redis]" in capsys.readouterr().err


def test_a_redis_that_is_out_costs_nothing(
    tmp_path: Path, provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be stored is not paid for."""
    config = _written(tmp_path, provider, None, '[cache]\nscope = "app"\n[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    assert main(["warm", str(_prompts(tmp_path, 2)), "--config", str(config)]) == 1
    assert "Redis cannot be asked" in capsys.readouterr().err
    assert provider.calls.total() == 0
