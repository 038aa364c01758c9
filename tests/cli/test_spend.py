"""`turnout spend`: what stands in Redis, and a clear word where nothing does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from turnout import Turnout
from turnout.cli import main
from turnout.context import Caller
from turnout.testing import FixedScorer, ScriptedProvider

CONFIG = """
[tiers]
cheap = {{ models = ["a/small"] }}
expensive = {{ models = ["a/large"] }}
[models."a/small"]
input_usd_per_million = 1
output_usd_per_million = 10
[models."a/large"]
input_usd_per_million = 1
output_usd_per_million = 10
[routing]
threshold = 0.5
{more}
"""


def test_it_prints_spend_by_user_endpoint_and_total(
    tmp_path: Path, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exact amounts as JSON, a line each for people; one user's by name."""
    file = tmp_path / "turnout.toml"
    budgets = '[budgets]\nper_user = "1/month"\nper_endpoint = "2/24h"\ntotal = "3/month"'
    redis = f'[redis]\nurl = "{redis_server.url}"\nprefix = "spend-test"\ntimeout_s = 5'
    file.write_text(CONFIG.format(more=budgets + "\n" + redis))

    async def spend() -> None:
        turnout = Turnout(str(file), provider=ScriptedProvider(), scorer=FixedScorer(0.0))
        await turnout.complete("hi", caller=Caller(user="ann", endpoint="/ask"))
        await turnout.aclose()

    asyncio.run(spend())
    assert main(["spend", "--config", str(file), "--json"]) == 0
    rows = {row["of"].split(":")[0]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {"user", "endpoint", "total"}
    for row in rows.values():
        assert (row["spent_usd"], row["reserved_usd"]) == ("0.00002", "0")
    assert rows["total"]["remaining_usd"] == "2.99998"
    assert rows["endpoint"]["of"] == "endpoint:/ask"
    assert main(["spend", "--config", str(file)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "endpoint:/ask" in told
    assert max(map(len, told)) <= 80
    assert main(["spend", "--config", str(file), "--user", "ann", "--json"]) == 0
    assert [row["spent_usd"] for row in json.loads(capsys.readouterr().out)] == ["0.00002"]


def test_without_redis_it_says_where_the_figures_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And without a budget that there is none."""
    file = tmp_path / "turnout.toml"
    file.write_text(CONFIG.format(more='[budgets]\ntotal = "3/day"'))
    assert main(["spend", "--config", str(file)]) == 2
    assert "the app's own process" in capsys.readouterr().err
    file.write_text(CONFIG.format(more=""))
    assert main(["spend", "--config", str(file), "--json"]) == 2
    assert "sets no budget; add one" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_what_checks_may_cost_is_a_budget_of_its_own(
    tmp_path: Path, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where there is no other: what the semantic cache's judge has been paid."""
    file = tmp_path / "turnout.toml"
    judge = '[models."a/judge"]\ninput_usd_per_million = 1\noutput_usd_per_million = 10'
    semantic = '[cache.semantic]\nenabled = true\njudge = "a/judge"\nchecks_usd = "2/day"'
    redis = f'[redis]\nurl = "{redis_server.url}"\nprefix = "spend-checks"\ntimeout_s = 5'
    file.write_text(CONFIG.format(more="\n".join((judge, semantic, redis))))

    async def spend() -> None:
        provider = ScriptedProvider({"a/small": ["At desk one.", "Ask the porter."], "a/judge": ["yes"]})
        turnout = Turnout(str(file), provider=provider, scorer=FixedScorer(0.0))
        for question in ("How do I renew my passport?", "how do i renew my passport?"):
            await turnout.complete(question, caller=Caller(user="ann"))
            await turnout._pipeline.drain()
        await turnout.aclose()

    asyncio.run(spend())
    assert main(["spend", "--config", str(file), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["of"], row["limit_usd"], row["spent_usd"], row["reserved_usd"]) == ("checks", "2", "0.00002", "0")
