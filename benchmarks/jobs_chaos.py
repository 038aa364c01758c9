"""Is an accepted job ever lost, or paid for twice, while workers and the store are killed?

    python -m benchmarks.jobs_chaos [--jobs 10000] [--kills 40] [--store redis|sqlite] [--json]

Three worker processes of `turnout worker`'s own code work on the jobs of forty users. Whenever one of the workers has
calls in progress it is killed by -9 and started anew, and (redis) the server is killed and restarted twice over its
append-only file. The provider, a loopback server, fails one call in ten, keeps books of what each job was called for,
and takes 0.2 s a call. Every tenth job names a webhook.

Held: every accepted job has ended, once, as done or failed; no more second answers are paid for than calls were cut
down by a kill; nothing waits or runs any more; every webhook has arrived, each job's under one id; (redis) nothing is
reserved of the budget once the last killed call's lease is over. Caveats: workers start without litellm, so that
kills come quickly; one machine, so that no network parts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.apps import settings as app_settings
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.workers import environ

from turnout import Turnout
from turnout.cli.stores import redis_gate
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.errors import Overloaded
from turnout.ports.admission import Ask, Lead, Settlement
from turnout.ports.jobs import ENDED, Jobs, JobsUnavailable
from turnout.pricing import usd
from turnout.quota.policies import Policies
from turnout.settings import Settings
from turnout.stores.factory import jobs_from
from turnout.testing import FixedScorer, ScriptedProvider

WORKERS = 3
LATENCY_S = 0.2
ROOT = Path(__file__).parent.parent
HOOKED_OF = 10
# A call's lease (deadline_s and a minute), and some.
LEASE_S = 60.0 + 60.0 + 10.0
SECRET = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


class Receiver:
    """Takes webhooks: the ids that came for each job."""

    def __init__(self) -> None:
        self.ids: defaultdict[str, set[str]] = defaultdict(set)
        outer = self

        class Responder(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.ids[body["data"]["id"]].add(str(self.headers["webhook-id"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Responder)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Workers:
    """The worker processes, of which one at a time is killed."""

    def __init__(self, config: Path, provider: LoopbackProvider) -> None:
        self._command = [sys.executable, "-m", "tests.support.job_worker", str(config), "5"]
        self._environ = environ(app_settings(provider.base_url), provider.base_url)
        self._processes = [self._start() for _ in range(WORKERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environ, stderr=subprocess.DEVNULL, cwd=ROOT)

    def kill(self, number: int) -> None:
        """Kills one by -9 and starts another in its place."""
        place = number % WORKERS
        os.kill(self._processes[place].pid, signal.SIGKILL)
        self._processes[place].wait()
        self._processes[place] = self._start()

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def write_settings(folder: Path, redis: RedisServer | None) -> Path:
    file = folder / "turnout.toml"
    part = f'[redis]\nurl = "{redis.url}"\nprefix = "c-{secrets.token_hex(4)}"\ntimeout_s = 1.0\n' if redis else ""
    prices = "input_usd_per_million = 1\noutput_usd_per_million = 1\n"
    file.write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[models."openai/small"]\n{prices}[models."openai/large"]\n{prices}[routing]\nthreshold = 1.0\n'
        '[webhooks]\nallow_hosts = ["127.0.0.1"]\n'
        "[queue]\nconcurrency = 24\nmax_length = 1000000\nmax_per_user = 1000000\n[cache]\nenabled = false\n"
        f'[budgets]\ntotal = "1000000/day"\n[breaker]\nfailures = 1000\n{part}'
    )
    return file


async def submit_all(file: Path, count: int, hook: str) -> tuple[list[str], float]:
    """The accepted jobs' ids, and how many were accepted a second."""
    turnout = Turnout(file, provider=ScriptedProvider(), scorer=FixedScorer(0.1), works=False)
    began, ids = time.monotonic(), []
    for number in range(count):
        caller = Caller(user=f"user-{number % 40}", endpoint="/v1/chat/completions")
        while True:
            try:
                url = "" if number % HOOKED_OF else hook
                ids.append((await turnout.submit(f"<job {number}>", caller=caller, webhook_url=url)).id)
                break
            except Overloaded:
                # Not accepted, and told so: the client asks again.
                await asyncio.sleep(0.2)
    took = time.monotonic() - began
    await turnout.aclose()
    return ids, count / took


async def counts(jobs: Jobs, ids: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for job_id in ids:
        job = await jobs.find(job_id)
        found[job.status if job is not None else "lost"] += 1
    return found


async def reserved_usd(file: Path) -> float:
    """What is reserved of the budget when the leases that are over have been swept."""
    settings = Settings.from_toml(file)
    assert settings.redis is not None
    claims = Policies(settings).of_key("total", SystemClock().time())
    async with redis_gate(settings, settings.redis, timeout_s=2.0) as (_, gate):
        entry = await gate.enter(Ask(budgets=claims, worst=(0,), lease_s=1.0))
        assert isinstance(entry.verdict, Lead)
        states = await gate.leave(Settlement(key=None, lease=entry.verdict.lease, budgets=claims))
    return float(usd(sum(state.reserved for state in states)))


async def nothing_reserved(file: Path) -> float:
    """What is still reserved when the last lease must be over."""
    ends = time.monotonic() + LEASE_S
    while (reserved := await reserved_usd(file)) and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(1)
    return reserved


async def hooks_of(receiver: Receiver, ids: list[str], seconds: float = 30.0) -> dict[str, int]:
    """How the webhooks of these jobs went."""
    ends = time.monotonic() + seconds
    while len(receiver.ids) < len(ids) and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return {
        "wanted": len(ids),
        "arrived": sum(1 for job_id in ids if receiver.ids[job_id]),
        "under_one_id": sum(1 for job_id in ids if len(receiver.ids[job_id]) == 1),
    }


async def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    redis = None
    if args.store == "redis":
        redis = RedisServer("--appendonly", "yes", "--appendfsync", "always", "--dir", str(folder))
    with LoopbackProvider(latency_s=LATENCY_S) as provider:
        provider.modes["*"] = "500@0.1"
        books: Counter[str] = Counter()

        def answer(body: Any) -> str:
            books[body["messages"][0]["content"]] += 1
            return "ok"

        provider.says["small"] = answer
        file = write_settings(folder, redis)
        jobs = jobs_from(Settings.from_toml(file), SystemClock())
        receiver = Receiver()
        ids, rate = await submit_all(file, args.jobs, receiver.url)
        workers, began, kills, cut, restarts = Workers(file, provider), time.monotonic(), 0, 0, 0
        recovered: list[float] = []
        try:
            while True:
                try:
                    state = await jobs.state()
                except JobsUnavailable:
                    await asyncio.sleep(0.1)
                    continue
                if not state.waiting + state.running or time.monotonic() - began > args.most_s:
                    break
                busy = sum(provider.active.values())
                if kills < args.kills and busy >= 8:
                    workers.kill(kills)
                    kills, cut = kills + 1, cut + busy
                    if redis is not None and kills in (args.kills // 3, 2 * args.kills // 3):
                        redis.kill()
                        restarts += 1
                        await asyncio.sleep(0.5)
                        redis.start()
                        killed = time.monotonic()
                        calls = provider.calls.total()
                        while provider.calls.total() == calls and time.monotonic() - killed < 60:  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                        recovered.append(time.monotonic() - killed)
                await asyncio.sleep(args.pause_s)
            took = time.monotonic() - began
            ended = await counts(jobs, ids)
            state = await jobs.state()
            hooks = await hooks_of(receiver, ids[::HOOKED_OF])
            reserved = None if redis is None else await nothing_reserved(file)
        finally:
            workers.stop()
            receiver.close()
            await jobs.close()
            if redis is not None:
                redis.kill()
    return {
        "question": __doc__.splitlines()[0] if __doc__ else "",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "store": args.store,
        "jobs": args.jobs,
        "accepted_per_s": round(rate),
        "kills": kills,
        "store_restarts": restarts,
        "store_back_at_work_s": [round(seconds, 2) for seconds in recovered],
        "took_s": round(took, 1),
        "ended": dict(ended),
        "not_ended": sum(count for status, count in ended.items() if status not in ENDED),
        "still_waiting_or_running": state.waiting + state.running,
        "calls": provider.calls.total(),
        "jobs_answered": len(books),
        "answers_paid_twice": sum(books.values()) - len(books),
        "calls_cut_down_by_kills": cut,
        "provider_failure_rate": 0.1,
        "webhooks": hooks,
        "reserved_in_the_end_usd": reserved,
        "held": not any(
            (
                sum(count for status, count in ended.items() if status not in ENDED),
                state.waiting + state.running,
                sum(books.values()) - len(books) > cut,
                hooks["under_one_id"] < hooks["wanted"],
                reserved,
            )
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--store", choices=["redis", "sqlite"], default="redis")
    parser.add_argument("--pause-s", type=float, default=0.25, help="between looks for calls in progress")
    parser.add_argument("--most-s", type=float, default=900.0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["TURNOUT_WEBHOOK_SECRET"] = SECRET
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(args, Path(folder)))
    print(json.dumps(figures, indent=None if args.json else 2))
    return 0 if figures["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
