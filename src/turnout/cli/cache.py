"""`turnout cache purge --config turnout.toml`: drop stored answers from the shared cache."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from turnout.context import user_key
from turnout.errors import StoreUnavailable, UsageError
from turnout.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["purge"], help="purge: drop stored answers")
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings file (turnout.toml)")
    which = parser.add_argument_group("which (user and endpoint together: what is of both)")
    which.add_argument("--user", metavar="ID", help="what was stored for this user")
    which.add_argument("--endpoint", metavar="PATH", help="what was stored at this endpoint")
    which.add_argument("--all", action="store_true", help="every stored answer")
    parser.add_argument("--json", action="store_true", help="print only JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where Redis cannot be asked, 2 where there is no Redis or nothing is named."""
    named = args.user is not None or args.endpoint is not None
    if named == args.all:
        raise UsageError("say what to purge: --user ID, --endpoint PATH or both, or else --all")
    settings = Settings.from_toml(args.config)
    if settings.queue is not None and args.user is not None and args.endpoint is None:
        jobs = asyncio.run(_purge_jobs(settings, args.user))
        print(f"{jobs} jobs of this user purged", file=sys.stderr)
        if settings.redis is None:
            print(json.dumps({"purged": 0}) if args.json else "answers are in each process's own memory: none purged")
            return 0
    if settings.redis is None:
        raise UsageError(
            f"{args.config} has no [redis]: each process then has a cache of its own memory, which no command can "
            "reach. Call `await turnout.purge(...)` in the app, or restart it"
        )
    purged = asyncio.run(_purge(settings, args.user, args.endpoint))
    print(json.dumps({"purged": purged}) if args.json else f"{purged} stored answers purged")
    return 0


async def _purge(settings: Settings, user: str | None, endpoint: str | None) -> int:
    # Imported here: the commands that need no Redis start without it.
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.connection import StoreUnreachable
    from turnout.stores.redis.gate import Bounds, RedisGate

    assert settings.redis is not None
    # Nobody waits behind a command: it may be patient where a request may not.
    client = RedisClient(url=settings.redis.url, prefix=settings.redis.prefix, timeout_s=5.0)
    gate = RedisGate(client, Bounds(max_entries=settings.cache.max_entries, max_bytes=settings.cache.max_bytes))
    try:
        return await gate.purge(user=None if user is None else user_key(user), endpoint=endpoint)
    except StoreUnreachable as down:
        raise StoreUnavailable(f"Redis cannot be asked: {down}") from down
    finally:
        await gate.close()


async def _purge_jobs(settings: Settings, user: str) -> int:
    from turnout.clock import SystemClock
    from turnout.ports.jobs import JobsUnavailable
    from turnout.stores.factory import jobs_from

    jobs = jobs_from(settings, SystemClock())
    try:
        return await jobs.purge(user=user_key(user))
    except JobsUnavailable as error:
        raise StoreUnavailable(f"the jobs cannot be reached: {error}") from error
    finally:
        await jobs.close()
