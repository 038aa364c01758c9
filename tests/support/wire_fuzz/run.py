"""Runs the cases: each is a number, from which all that is sent follows; lanes run side by side, each with its models.

Even numbers are hostile callers beside a provider that always answers well: no 5xx and no circuit moved. Odd ones are
plain callers whose provider sends anything: no 500, an ending that a client understands. After every batch no task is
left.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.support.wire_fuzz import doors
from tests.support.wire_fuzz.bodies import WIRES, hostile, plain
from turnout import Turnout
from turnout.asgi import TurnoutMiddleware as AsgiMiddleware
from turnout.portal import portal_loop
from turnout.ports.sharing import Circuit
from turnout.testing import FixedScorer
from turnout.wsgi import TurnoutMiddleware as WsgiMiddleware

LANES = 4
BATCH = 200
HANG_S = 20.0
SETTLES_WITHIN_S = 5.0
BASES = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta", "cohere": "/v2/chat"}


@dataclass(slots=True)
class Report:
    """What was found. Each finding is (case number, what it is)."""

    seed: int
    cases: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    errors_500: list[tuple[int, str]] = field(default_factory=list)
    blamed: list[tuple[int, str]] = field(default_factory=list)
    circuits: list[tuple[int, str]] = field(default_factory=list)
    hangs: list[tuple[int, str]] = field(default_factory=list)
    leaks: list[tuple[int, str]] = field(default_factory=list)
    endings: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: int = -1

    @property
    def findings(self) -> dict[str, list[tuple[int, str]]]:
        return {
            "500s": self.errors_500,
            "hangs": self.hangs,
            "leaks": self.leaks,
            "circuits moved by a caller": self.circuits,
            "5xx though the provider was well": self.blamed,
            "bad endings": self.endings,
        }

    @property
    def clean(self) -> bool:
        return not any(self.findings.values())


class RecordingCircuits:
    """A CircuitStore that keeps which circuits opened or were paused."""

    def __init__(self) -> None:
        self.posted: list[str] = []

    async def post(self, name: str, circuit: Circuit) -> None:
        if circuit.open or circuit.paused_for_s:
            self.posted.append(name)

    async def claim(self, name: str, lease_s: float) -> bool:
        return True

    async def release(self, name: str) -> None:
        return None

    async def close(self) -> None:
        return None

    def take(self, lane: int) -> list[str]:
        """Those of this lane's models since it was last asked."""
        own = [name for name in self.posted if f"/lane{lane}@" in name]
        self.posted = [name for name in self.posted if name not in own]
        return own


def settings(port: int, transport: str, **model: Any) -> dict[str, Any]:
    """A model of each wire a lane; one failure opens a circuit, which may be probed at once."""
    names = {f"{wire}/lane{lane}": BASES[wire] for lane in range(LANES) for wire in WIRES}
    price = {"input_usd_per_million": 1, "output_usd_per_million": 1, "api_key_env": "TURNOUT_FUZZ_KEY", **model}
    return {
        "tiers": {"cheap": {"models": list(names)[:1]}, "expensive": {"models": list(names)[1:]}},
        "models": {
            name: {**price, "params": {"api_base": f"http://127.0.0.1:{port}{base}"}} for name, base in names.items()
        },
        "routing": {"threshold": 0.5},
        "retry": {"attempts": 1, "deadline_s": 15},
        "fallback": {"other_tier": "none"},
        "breaker": {"failures": 1, "reset_s": 0.001},
        "cache": {"enabled": False},
        "upstream": {"transport": transport},
    }


@contextmanager
def provider(seed: int) -> Iterator[int]:
    """The provider's port."""
    root = Path(__file__).parents[3]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.wire_fuzz.provider", str(seed)],
        cwd=root, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class Fuzz:
    """Two apps at one door (beside a provider that is well, and one that is ill), and the cases through them."""

    def __init__(self, report: Report, door: str, port: int, transport: str) -> None:
        os.environ.setdefault("TURNOUT_FUZZ_KEY", "sk-fuzz")
        self.report = report
        self.circuits = RecordingCircuits()
        self._door = door
        ill = settings(port, transport, chunk_timeout_s=0.5, first_token_timeout_s=0.5)
        self._turnouts = [
            Turnout(settings(port, transport), scorer=FixedScorer(0.1), circuit_store=self.circuits),
            Turnout(ill, scorer=FixedScorer(0.1)),
        ]
        self._apps: list[Any] = [
            AsgiMiddleware(doors.nothing, turnout=turnout)
            if door == "asgi"
            else WsgiMiddleware(doors.nothing_wsgi, turnout=turnout)
            for turnout in self._turnouts
        ]
        self._ask = doors.ask_asgi if door == "asgi" else doors.ask_wsgi

    async def run(self, cases: Iterable[int]) -> None:
        """All cases of these numbers."""
        numbers = iter(cases)
        if self._door == "asgi":
            for turnout in self._turnouts:
                await turnout.start()
        await self._batch(itertools.islice(numbers, 4 * LANES))
        tasks = len(self._tasks())
        while batch := list(itertools.islice(numbers, BATCH)):
            await self._batch(iter(batch))
            await self._settled(batch[-1], tasks)
        if self._door == "asgi":
            for turnout in self._turnouts:
                await turnout.aclose()

    async def _batch(self, numbers: Iterator[int]) -> None:
        async def lane(index: int) -> None:
            for number in numbers:
                await self._case(index, number)

        await asyncio.gather(*(lane(index) for index in range(LANES)))

    async def _case(self, lane: int, number: int) -> None:
        rng = Random(f"{self.report.seed}:request:{number}")
        model = f"{WIRES[number // 4 % len(WIRES)]}/lane{lane}"
        ill = number % 2
        request = plain(rng, model, f"case:{number}") if ill else hostile(rng, model)
        since = time.monotonic()
        self.report.cases += 1
        try:
            async with asyncio.timeout(HANG_S):
                response = await self._ask(self._apps[ill], request)
        except TimeoutError:
            self.report.hangs.append((number, f"no end after {HANG_S:g} s"))
            return
        except Exception as error:
            self.report.errors_500.append((number, f"raised {error!r}"))
            return
        if (took_s := time.monotonic() - since) > self.report.slowest_s:
            self.report.slowest_s, self.report.slowest = took_s, number
        self.report.statuses[f"{'ill' if ill else 'well'} provider: {response.status}"] += 1
        self._judge(number, lane, response, ill=bool(ill), deadline=b"deadline" in repr(request.headers).encode())

    def _judge(self, number: int, lane: int, response: doors.Response, *, ill: bool, deadline: bool) -> None:
        if response.status == 500:
            self.report.errors_500.append((number, response.body[:200].decode(errors="replace")))
        elif response.status > 500 and not ill and not (deadline and response.status == 504):
            self.report.blamed.append((number, f"{response.status} {response.body[:200].decode(errors='replace')}"))
        if (problem := ending_problem(response)) is not None:
            self.report.endings.append((number, problem))
        for name in [] if ill else self.circuits.take(lane):
            self.report.circuits.append((number, name))

    def _tasks(self) -> set[asyncio.Task[Any]]:
        """Of the loop that this door's Turnouts run on. litellm's own worker stays."""
        tasks = asyncio.all_tasks(portal_loop() if self._door == "wsgi" else None)
        return {task for task in tasks if "LoggingWorker" not in repr(task.get_coro())}

    async def _settled(self, number: int, tasks: int) -> None:
        """No more tasks than after the first cases."""
        for _ in range(int(SETTLES_WITHIN_S / 0.02)):
            if len(self._tasks()) <= tasks:
                return
            await asyncio.sleep(0.02)
        self.report.leaks.append((number, f"more than {tasks} tasks: {self._tasks()}"))


# What the last event of a whole answer is in the protocols whose events have a type, and what a failure's.
_LAST = frozenset({"message_stop", "response.completed", "response.incomplete"})
_FAILED = frozenset({"error", "response.failed"})


def ending_problem(response: doors.Response) -> str | None:
    """What a client could not make sense of: JSON or events that are none, a stream without its end."""
    if not response.content_type.startswith("text/event-stream"):
        try:
            body = json.loads(response.body)
        except ValueError:
            return f"{response.status} with a body that is no JSON: {response.body[:100]!r}"
        return None if response.status == 200 or "error" in body else f"{response.status} without an error"
    events = [event.partition(b"data: ")[2] for event in response.body.split(b"\n\n") if b"data: " in event]
    try:
        parsed = [json.loads(event) for event in events if event != b"[DONE]"]
    except ValueError:
        return f"an event that is no JSON: {response.body[-200:]!r}"
    typed = [event.get("type") for event in parsed if "type" in event]
    done = events[-1:] == [b"[DONE]"] or not _LAST.isdisjoint(typed[-1:])
    failed = any("error" in event for event in parsed) or not _FAILED.isdisjoint(typed)
    return None if done != failed else f"neither [DONE] nor an error at the end: {response.body[-200:]!r}"


@contextmanager
def quiet() -> Iterator[None]:
    """Thousands of warnings about what was sent tell nothing, and hold what no report can carry."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def run(*, seed: int, count: int, first: int = 0, transport: str = "direct") -> Report:
    """The cases from `first` on. Blocks until they are done."""
    report = Report(seed)
    numbers = range(first, first + count)
    with provider(seed) as port, quiet():
        # One after the other: litellm's own worker follows whichever loop asked last.
        for index, door in enumerate(("asgi", "wsgi")):
            cases = [number for number in numbers if number // 2 % 2 == index]

            async def all_cases(door: str = door, cases: list[int] = cases) -> None:
                await Fuzz(report, door, port, transport).run(cases)

            asyncio.run(all_cases())
    return report
