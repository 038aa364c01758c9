"""`turnout report --config turnout.toml -o report.html`: the status page with its figures inside, as one file."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from turnout.api.status_page import report
from turnout.api.status_snapshot import RANGES, Snapshots, Sources
from turnout.atomic_file import replacing
from turnout.cli.arguments import add_config
from turnout.cli.output_files import check_report
from turnout.cli.stores import redis_gate
from turnout.clock import SystemClock
from turnout.errors import LogError, SettingsError, UsageError
from turnout.ports.admission import Gate
from turnout.ports.counting import MINUTE_S, CounterStore
from turnout.ports.runtime import Clock
from turnout.quota.policies import Policies
from turnout.records import Attempt, Decision, Outcome, Usage
from turnout.settings import Budgets, Redis, Settings
from turnout.stores.memory.counter_store import MemoryCounterStore
from turnout.stores.memory.gate import MemoryGate
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.counters import Counters
from turnout.telemetry.observers import Observers
from turnout.upstream.bulkhead import Bulkhead
from turnout.upstream.prices import PriceBook

# Why a log's costs are below the page's.
REQUESTS_ALONE = "requests alone, without what the semantic cache's checks and vectors cost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write, such as report.html")
    parser.add_argument("--range", default="48h", choices=[*RANGES], help="how far back (48h)")
    parser.add_argument("--log", metavar="FILE", help="a request log to read, in place of Redis and [log] path")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where Redis or the log cannot be read, 2 where the settings name neither."""
    settings = Settings.from_toml(args.config)
    log = args.log or ("" if settings.redis is not None else settings.log.path)
    check_report(args.output, [log] if log else [], "-o")
    if log:
        figures = asyncio.run(_from_log(settings, Path(log), args.range))
    elif settings.redis is not None:
        figures = asyncio.run(_from_redis(settings, settings.redis, args.range))
    else:
        raise UsageError(
            f"{args.config} has neither [redis] nor [log] path: the figures live in the app's own process, at "
            "/turnout/status"
        )
    with replacing(Path(args.output)) as file:
        file.write(report(figures))
    if args.json:
        print(json.dumps(figures))
    else:
        figure = f"{figures['requests']} requests, {figures['cost_usd']:.6f} USD"
        print(f"{args.output}: figures of {figures['scope']}: {figure}", file=sys.stderr)
    return 0


async def _from_redis(settings: Settings, redis: Redis, name: str) -> dict[str, Any]:
    # Imported here: a report of a log needs no Redis.
    from turnout.stores.redis.counter_store import RedisCounterStore

    clock = SystemClock()
    async with redis_gate(settings, redis) as (client, gate):
        await gate.reach()
        sources = _sources(settings, clock, gate, RedisCounterStore(client, clock=clock), shared=True)
        return await Snapshots(sources).of(name)


async def _from_log(settings: Settings, path: Path, name: str) -> dict[str, Any]:
    clock = LogClock()
    # The log holds no budgets: none is shown, rather than one that looks unspent.
    plain = Settings.of({**_fields(settings), "budgets": Budgets(), "endpoints": {}})
    store = MemoryCounterStore(clock=clock)
    cache = settings.cache
    gate = MemoryGate(clock=clock, max_entries=1, max_bytes=cache.max_bytes, lease_s=1.0)
    sources = _sources(plain, clock, gate, store, shared=False)
    counters = sources.keeper.counters
    rows = 0
    for at, outcome in read_outcomes(path, settings):
        if int(at) // MINUTE_S != int(clock.now) // MINUTE_S:
            await sources.keeper.flush()
        clock.now = max(clock.now, at)
        for attempt in outcome.attempts:
            counters.attempt_ended(None, attempt)
        counters.request_ended(None, outcome)
        rows += 1
    if not rows:
        raise LogError(f"{path}: holds no request of Turnout's log")
    # A log has a line a request, and the semantic cache pays for checks and vectors that no request asked for.
    alone = f" ({REQUESTS_ALONE})" if cache.enabled and cache.semantic.enabled else ""
    return {**await Snapshots(sources).of(name), "scope": f"{path.name}{alone}"}


def _fields(settings: Settings) -> dict[str, Any]:
    return {"tiers": settings.tiers, "models": settings.models, "routing": settings.routing, "status": settings.status}


def _sources(settings: Settings, clock: Clock, gate: Gate, store: CounterStore, *, shared: bool) -> Sources:
    prices = PriceBook(settings)
    # Reads litellm's table; a model that it does not price makes the saving unknown.
    with contextlib.suppress(SettingsError):
        prices.require_all()
    return Sources(
        settings=settings,
        clock=clock,
        keeper=CountKeeper(Counters(settings, prices=prices, clock=clock), store),
        gate=gate,
        bulkhead=Bulkhead(settings=settings, clock=clock, observer=Observers()),
        policies=Policies(settings),
        shared=shared,
    )


class LogClock(SystemClock):
    """The time of the line that is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


def read_outcomes(path: Path, settings: Settings) -> Iterator[tuple[float, Outcome]]:
    """The time and the outcome of each line; what is no line of the request log is passed over. Raises LogError."""
    try:
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
                    fields = json.loads(line)
                    yield datetime.fromisoformat(fields["time"]).timestamp(), _outcome(fields, settings)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error


def _decision(fields: Mapping[str, Any], model: str) -> Decision | None:
    if fields.get("score") is None:
        return None
    score, threshold = float(fields["score"]), fields.get("threshold")
    return Decision(
        tier="expensive" if threshold is not None and score >= threshold else "cheap",
        reason=fields.get("reason", "scored"),
        candidates=(model,),
        score=score,
        threshold=threshold,
        expected_gain=fields.get("expected_gain"),
    )


def _outcome(fields: Mapping[str, Any], settings: Settings) -> Outcome:
    tier, model = fields["tier"], fields.get("model", "")
    usage = Usage(
        prompt_tokens=int(fields.get("prompt_tokens", 0)),
        completion_tokens=int(fields.get("completion_tokens", 0)),
        cached_tokens=int(fields.get("cached_tokens", 0)),
    )
    served = next((one for one in reversed(fields.get("attempts", ())) if "error" not in one), None)
    return Outcome(
        request_id=fields["id"],
        decision=_decision(fields, model),
        tier=tier,
        model=model,
        reason=fields.get("reason"),
        cache=fields["cache"],
        attempts=tuple(
            Attempt(
                model=one["model"],
                tier=settings.tier_of(one["model"]) if one["model"] in settings.model_names else "none",
                duration_s=float(one.get("duration_s", 0.0)),
                error=one.get("error"),
                cost_usd=Decimal(str(one.get("cost_usd", 0))),
                usage=usage if one is served else None,
            )
            for one in fields.get("attempts", ())
        ),
        usage=usage,
        cost_usd=Decimal(str(fields.get("cost_usd", 0))),
        turnout_s=float(fields.get("turnout_s", 0.0)),
        inference_s=float(fields.get("inference_s", 0.0)),
        user=fields.get("user", "anonymous"),
        endpoint=fields.get("endpoint", ""),
        error=fields.get("error"),
        operation=fields.get("operation", "chat"),
    )
