"""The stores that commands ask, the shared Redis and the jobs: closed at the end, failures in a command's words."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from turnout.clock import SystemClock
from turnout.errors import StoreUnavailable, UsageError
from turnout.ports.jobs import Jobs, JobsUnavailable
from turnout.settings import Queue, Redis, Settings

if TYPE_CHECKING:
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.gate import RedisGate
    from turnout.stores.sqlite.entries import SqliteEntries

# Nobody waits behind a command: it may be patient where a request may not.
TIMEOUT_S = 5.0


@asynccontextmanager
async def redis_gate(
    settings: Settings, redis: Redis, *, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[tuple[RedisClient, RedisGate]]:
    """The shared Redis. Raises StoreUnavailable where it cannot be asked."""
    # Imported here: the commands that need no Redis start without it.
    from turnout.stores.redis.client import RedisClient
    from turnout.stores.redis.connection import StoreUnreachable
    from turnout.stores.redis.gate import Bounds, RedisGate

    client = RedisClient(url=redis.url, prefix=redis.prefix, timeout_s=timeout_s)
    gate = RedisGate(client, Bounds(max_entries=settings.cache.max_entries, max_bytes=settings.cache.max_bytes))
    try:
        yield client, gate
    except StoreUnreachable as down:
        raise StoreUnavailable(
            f"Redis cannot be asked: {str(down).rstrip('.')}; is it started, and [redis] url its address?"
        ) from down
    finally:
        await gate.close()


@asynccontextmanager
async def open_jobs(settings: Settings) -> AsyncIterator[Jobs]:
    """The store of the jobs. Raises StoreUnavailable where it cannot be reached."""
    # Imported here: most settings have no queue.
    from turnout.stores.factory import jobs_from

    jobs = jobs_from(settings, SystemClock())
    try:
        yield jobs
    except JobsUnavailable as error:
        raise StoreUnavailable(f"the jobs cannot be reached: {error}") from error
    finally:
        await jobs.close()


@asynccontextmanager
async def kept_entries(settings: Settings) -> AsyncIterator[SqliteEntries | None]:
    """The store of kept responses in the jobs' file; None where they lie elsewhere."""
    from turnout.stores.factory import kept_entries_from

    entries = kept_entries_from(settings, SystemClock())
    try:
        yield entries
    finally:
        if entries is not None:
            await entries.close()


def queue_settings(args: argparse.Namespace) -> tuple[Settings, Queue]:
    """The settings that `--config` names, and their queue. Raises UsageError where they have none."""
    settings = Settings.from_toml(args.config)
    if settings.queue is None:
        raise UsageError(f"{args.config} has no queue: add the line [queue]")
    return settings, settings.queue
