"""Does a user with thousands of jobs make another one wait?

    python -m benchmarks.jobs_fairness [--many 5000] [--few 10] [--store sqlite|redis] [--json]

One worker, eight jobs at once, a provider that takes 0.2 s a call. User B submits its few jobs, alone; then again,
after user A has submitted thousands and the worker is at them. What is told is the time from B's first submission to
the end of its last job.

Held: B's jobs beside A's take no longer than 1.5 times what they take alone, and one job's time. Caveats: the provider
is in the worker's process and calls no litellm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from turnout import Turnout
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.ports.jobs import ENDED, Jobs
from turnout.settings import Settings
from turnout.stores.factory import jobs_from
from turnout.testing import FixedScorer, Says, ScriptedProvider

CALL_S = 0.2
TIMES_ALONE = 1.5


async def submit(turnout: Turnout, user: str, count: int) -> list[str]:
    caller = Caller(user=user, endpoint="/v1/chat/completions")
    return [(await turnout.submit(f"{user} {number}", caller=caller)).id for number in range(count)]


async def ended_all(jobs: Jobs, ids: list[str]) -> None:
    left = set(ids)
    while left:
        for job_id in [*left]:
            job = await jobs.find(job_id)
            if job is None or job.status in ENDED:
                left.discard(job_id)
        await asyncio.sleep(0.01)


async def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    redis = None
    if args.store == "redis":
        from tests.support.redis_server import RedisServer

        redis = RedisServer()
    shared = f'[redis]\nurl = "{redis.url}"\nprefix = "f-{secrets.token_hex(4)}"\n' if redis is not None else ""
    file = folder / "turnout.toml"
    file.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        "[routing]\nthreshold = 1.0\n[cache]\nenabled = false\n"
        f"[queue]\nconcurrency = 8\nmax_length = 100000\n{shared}"
    )
    provider = ScriptedProvider({"openai/small": [Says("ok", after_s=CALL_S)]}, clock=SystemClock())
    jobs = jobs_from(Settings.from_toml(file), SystemClock())
    turnout = Turnout(file, provider=provider, scorer=FixedScorer(0.1), works=True)
    try:
        async with turnout:
            # Its first job begins what is begun once.
            await ended_all(jobs, await submit(turnout, "c", 1))
            alone = time.monotonic()
            await ended_all(jobs, await submit(turnout, "b", args.few))
            alone = time.monotonic() - alone
            await submit(turnout, "a", args.many)
            beside = time.monotonic()
            await ended_all(jobs, await submit(turnout, "b", args.few))
            beside = time.monotonic() - beside
            waiting = (await jobs.state()).waiting
            await turnout.stop_worker(0)
    finally:
        await jobs.close()
        if redis is not None:
            redis.kill()
    bound = TIMES_ALONE * alone + CALL_S
    return {
        "question": __doc__.splitlines()[0] if __doc__ else "",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "store": args.store,
        "many": args.many,
        "few": args.few,
        "few_alone_s": round(alone, 3),
        "few_beside_many_s": round(beside, 3),
        "bound_s": round(bound, 3),
        "still_waiting_of_the_many": waiting,
        "held": beside <= bound and waiting > 0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--many", type=int, default=5_000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--store", choices=["sqlite", "redis"], default="sqlite")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(args, Path(folder)))
    print(json.dumps(figures, indent=None if args.json else 2))
    return 0 if figures["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
