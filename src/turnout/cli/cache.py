"""`turnout cache purge --config turnout.toml`: drop stored answers from the shared cache, and kept responses."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from turnout.cli.arguments import add_config
from turnout.cli.stores import kept_entries, open_jobs, redis_gate
from turnout.context import user_key
from turnout.errors import UsageError
from turnout.settings import Redis, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["purge"], help="purge: drop stored answers")
    add_config(parser)
    which = parser.add_argument_group("which (user and endpoint together: what is of both)")
    which.add_argument("--user", metavar="ID", help="what was stored for this user")
    which.add_argument("--endpoint", metavar="PATH", help="what was stored at this endpoint")
    which.add_argument("--all", action="store_true", help="every stored answer")
    parser.add_argument("--json", action="store_true", help="print only JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where a store cannot be asked, 2 where nothing is named or there is none that a command can reach."""
    named = args.user is not None or args.endpoint is not None
    if named == args.all:
        raise UsageError("say what to purge: --user ID, --endpoint PATH or both, or else --all")
    settings = Settings.from_toml(args.config)
    if settings.redis is None and settings.queue is None:
        raise UsageError(
            f"{args.config} has no [redis]: each process then has a cache of its own memory, which no command can "
            "reach. Call `await turnout.purge(...)` in the app, or restart it"
        )
    if settings.queue is not None and args.user is not None and args.endpoint is None:
        jobs = asyncio.run(_purge_jobs(settings, args.user))
        print(f"{jobs} jobs of this user purged", file=sys.stderr)
    if settings.redis is not None:
        what, purged = "stored answers", asyncio.run(_purge(settings, settings.redis, args.user, args.endpoint))
    else:
        what, purged = "kept responses", asyncio.run(_purge_kept(settings, args.user, args.endpoint))
        print("answers are in each process's own memory: none of them purged", file=sys.stderr)
    print(json.dumps({"purged": purged}) if args.json else f"{purged} {what} purged")
    return 0


async def _purge(settings: Settings, redis: Redis, user: str | None, endpoint: str | None) -> int:
    # Imported here: the commands that need no Redis start without it.
    from turnout.stores.redis.semantic_store import purge_questions

    key = None if user is None else user_key(user)
    async with redis_gate(settings, redis) as (client, gate):
        await purge_questions(client, user=key, endpoint=endpoint)
        return await gate.purge(user=key, endpoint=endpoint)


async def _purge_kept(settings: Settings, user: str | None, endpoint: str | None) -> int:
    async with kept_entries(settings) as kept:
        return 0 if kept is None else await kept.purge(user=None if user is None else user_key(user), endpoint=endpoint)


async def _purge_jobs(settings: Settings, user: str) -> int:
    async with open_jobs(settings) as jobs:
        return await jobs.purge(user=user_key(user))
