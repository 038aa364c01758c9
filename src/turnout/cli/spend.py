"""`turnout spend --config turnout.toml`: what is spent, reserved and left, by user, endpoint and in total."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from turnout.cli.arguments import add_config
from turnout.cli.stores import redis_gate
from turnout.clock import SystemClock
from turnout.context import user_key
from turnout.errors import UsageError
from turnout.ports.admission import Settlement
from turnout.ports.limits import BudgetState
from turnout.pricing import usd
from turnout.quota.policies import Policies
from turnout.settings import Redis, Settings

# Budgets read in one round trip.
BATCH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--user", metavar="NAME", help="only this user's; keys hold a hash, so names are not listed")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    settings = Settings.from_toml(args.config)
    policies = Policies(settings)
    if not (policies.budgeted or policies.has_checks):
        raise UsageError(f'{args.config} sets no budget; add one, such as [budgets] total = "50/day"')
    if settings.redis is None:
        raise UsageError(
            f"{args.config} has no [redis]: the figures live in the app's own process, at /turnout/status, and end "
            "with it"
        )
    rows = asyncio.run(_rows(settings, settings.redis, args.user))
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        _table(rows, ZoneInfo(settings.budgets.time_zone))
    return 0


async def _rows(settings: Settings, redis: Redis, user: str | None) -> list[dict[str, Any]]:
    # Imported here: the other commands need no Redis.
    from turnout.stores.redis.budget_accounts import list_account_keys

    policies, now = Policies(settings), SystemClock().time()
    states: list[BudgetState] = []
    async with redis_gate(settings, redis, timeout_s=max(1.0, redis.timeout_s)) as (client, gate):
        keys = await list_account_keys(client) if user is None else [user_key(user)]
        claims = [claim for key in keys for claim in policies.of_key(key, now)]
        for start in range(0, len(claims), BATCH):
            batch = tuple(claims[start : start + BATCH])
            states += await gate.leave(Settlement(key=None, lease="", budgets=batch))
    return [_row(state) for state in states]


def _row(state: BudgetState) -> dict[str, Any]:
    claim = state.claim
    return {
        "of": claim.key,
        "limit_usd": f"{usd(claim.limit):f}",
        "spent_usd": f"{usd(state.spent):f}",
        "reserved_usd": f"{usd(state.reserved):f}",
        "remaining_usd": f"{usd(claim.limit - state.spent - state.reserved):f}",
        "rolling_s": claim.rolling_s,
        "start": int(state.start),
        "end": int(state.end),
    }


def _table(rows: list[dict[str, Any]], zone: ZoneInfo) -> None:
    """Each budget's own line, below whose it is: a key may be as long as it likes."""
    if not rows:
        print("nothing is spent yet")
        return
    print(f"{'USD':<6}{'spent':>9}{'reserved':>13}{'left':>13}{'of':>9}  in")
    above = ""
    for row in rows:
        if row["of"] != above:
            print(above := row["of"])
        until = "until " + datetime.fromtimestamp(row["end"], zone).isoformat(" ", "minutes")
        window = f"the last {row['rolling_s']} s" if row["rolling_s"] else until
        amounts = (f"{float(row[name]):13.6f}" for name in ("spent_usd", "reserved_usd", "remaining_usd"))
        print("  {}{:>9}  {}".format("".join(amounts), row["limit_usd"], window))
