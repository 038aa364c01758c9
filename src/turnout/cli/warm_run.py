"""The run of `turnout warm`: planned against what is stored already, asked, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from turnout.cli.progress import progress_bar
from turnout.cli.stopping import let_the_next_signal_end, stop_event_of_loop
from turnout.cli.stores import redis_gate
from turnout.cli.warm_target import Costs, TurnoutTarget, warming
from turnout.errors import ServedError
from turnout.labelling.budget import LabelBudget
from turnout.labelling.throttle import Throttle
from turnout.pricing import FREE
from turnout.settings import Settings
from turnout.warming.journal import WarmJournal
from turnout.warming.prompts import WarmPrompt
from turnout.warming.run import Planned, WarmResult, WarmRun

if TYPE_CHECKING:
    from turnout.stores.redis.gate import RedisGate

Summary = dict[str, Any]


async def warm(
    args: argparse.Namespace,
    settings: Settings,
    prompts: Sequence[WarmPrompt],
    journal: WarmJournal | None,
    announce: Callable[[Summary], None],
) -> tuple[Summary, int]:
    """The summary and the exit code. announce: called with the plan before anything is asked.
    Raises TurnoutError."""
    settings = warming(settings)
    costs = Costs(settings)
    if args.budget is not None:
        costs.require_all("--budget")
    target = TurnoutTarget(settings, costs, budgeted=args.budget is not None)
    done = False
    try:
        spent = FREE if journal is None else journal.spent()
        plan = _Plan(target, costs, settings, journal)
        await plan.read(prompts)
        summary = plan.summary(args, spent)
        announce(summary)
        if args.dry_run or journal is None:
            return summary, 0
        result = await _run(args, target, journal, plan.planned, LabelBudget(args.budget, spent))
        done = not (result.failed or result.ended)
        for line in (*plan.refused, *result.failures):
            print(f"failed {line}", file=sys.stderr)
        return summary | _outcome(result, plan, spent), _code(result, plan)
    finally:
        if journal is not None:
            journal.close(done=done)


class _Plan:
    """Which prompts are to be asked, and what that may cost. refused: prompts that cannot be asked, and why."""

    def __init__(self, target: TurnoutTarget, costs: Costs, settings: Settings, journal: WarmJournal | None) -> None:
        self._target = target
        self._costs = costs
        self._settings = settings
        self._unstored = {} if journal is None else journal.unstored()
        self.planned: list[Planned] = []
        self.refused: list[str] = []
        self.fresh = self.repeated = self.unstored = 0
        self._likely: Decimal | None = FREE

    async def read(self, prompts: Sequence[WarmPrompt]) -> None:
        """Looks each prompt up. Raises StoreUnavailable where Redis cannot be asked."""
        redis = self._settings.redis
        assert redis is not None
        seen: set[bytes] = set()
        async with redis_gate(self._settings, redis) as (_, gate):
            for prompt in prompts:
                try:
                    await self._add(prompt, gate, seen)
                except ServedError as error:
                    self.refused.append(f"{prompt.where}: {error}")

    async def _add(self, prompt: WarmPrompt, gate: RedisGate, seen: set[bytes]) -> None:
        key = self._target.turnout.cache_key(prompt.request, self._target.context(prompt))
        if key is None:
            self.refused.append(f"{prompt.where}: its answer is not stored")
        elif key in seen:
            self.repeated += 1
        elif await self._is_fresh(gate, key):
            self.fresh += 1
        elif self._target.turnout.clock.time() < self._unstored.get(key.hex(), 0.0) + self._settings.cache.ttl_s:
            self.unstored += 1
        else:
            await self._plan(prompt, key)
        if key is not None:
            seen.add(key)

    async def _is_fresh(self, gate: RedisGate, key: bytes) -> bool:
        stored = await gate.stale(key)
        return stored is not None and stored.age_s < self._settings.cache.ttl_s

    async def _plan(self, prompt: WarmPrompt, key: bytes) -> None:
        chosen, models = await self._target.first_models(prompt)
        worst = self._costs.worst(models, prompt.request)
        likely = self._costs.likely(chosen, prompt.request)
        self._likely = None if self._likely is None or likely is None else self._likely + likely
        self.planned.append(Planned(prompt=prompt, key=key.hex(), worst=worst))

    def summary(self, args: argparse.Namespace, spent: Decimal) -> Summary:
        worst = [planned.worst for planned in self.planned]
        known = [amount for amount in worst if amount is not None]
        return {
            "to_warm": len(self.planned),
            "fresh": self.fresh,
            "repeated": self.repeated,
            "estimated_usd": None if self._likely is None else float(self._likely),
            "worst_usd": float(sum(known, FREE)) if len(known) == len(worst) else None,
            "spent_usd": float(spent),
            "seconds": len(self.planned) * args.rate.window_s / args.rate.limit,
        }


async def _run(
    args: argparse.Namespace,
    target: TurnoutTarget,
    journal: WarmJournal,
    planned: Sequence[Planned],
    budget: LabelBudget,
) -> WarmResult:
    turnout = target.turnout
    async with _stopping() as stopping, turnout:
        with progress_bar("warming") as progress:
            run = WarmRun(
                target=target,
                throttle=Throttle(args.rate, turnout.clock),
                budget=budget,
                journal=journal,
                clock=turnout.clock,
                concurrency=args.concurrency,
                progress=progress,
                stopping=stopping.is_set,
            )
            return await run.run(planned)


@asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Event]:
    """Set by the first signal to stop: what is asked and paid for is still stored. A second one ends at once."""
    stopping = asyncio.Event()
    with suppress(NotImplementedError, ValueError, RuntimeError):
        # Where this is no main thread, or the system has no such signals, a signal ends it as it would anyway.
        stopping = stop_event_of_loop()
    watch = asyncio.create_task(_then_let_end(stopping))
    try:
        yield stopping
    finally:
        watch.cancel()
        with suppress(NotImplementedError, ValueError, RuntimeError):
            let_the_next_signal_end()


async def _then_let_end(stopping: asyncio.Event) -> None:
    await stopping.wait()
    let_the_next_signal_end()


def _outcome(result: WarmResult, plan: _Plan, spent: Decimal) -> Summary:
    return {
        "warmed": result.warmed,
        "fresh": plan.fresh + result.fresh,
        "failed": result.failed + len(plan.refused),
        "unstored": plan.unstored + result.unstored,
        "spent_usd": float(spent + result.usd),
        "seconds": result.seconds,
        # Between the first and the last one lie so many gaps.
        "rate": max(0, result.asked - 1) / result.seconds if result.seconds else 0.0,
        "ended": result.ended,
    }


def _code(result: WarmResult, plan: _Plan) -> int:
    """A budget that ends is the end that was asked for, once it made any answer; what else stops is a failure."""
    if result.ended == "interrupted":
        return 130
    if result.ended == "budget":
        return int(not (result.warmed or result.fresh))
    return int(bool(result.ended or result.failed or plan.refused))
