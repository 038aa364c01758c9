"""With a Redis, `max_expensive_share` holds over all processes of an app together, whatever comes."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.support.apps import settings
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.workers import free_port, servers, uvicorn
from turnout import Turnout
from turnout.ports.scoring import Query, Score
from turnout.routing.share_sync import SharedShareControl
from turnout.testing import ScriptedProvider

SHARE = 0.3


class TextScorer:
    """The text is the score."""

    is_default = False

    def __init__(self, version: str = "1") -> None:
        self.version = version

    def score(self, query: Query) -> Score:
        score = float(query.messages[-1]["content"])
        return Score(score=score, expected_gain=score - 0.5)


class Process:
    """A Turnout as one process has it: with connections of its own."""

    def __init__(self, server: RedisServer, prefix: str, version: str = "1", timeout_s: float = 5.0) -> None:
        config: dict[str, Any] = {
            "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
            "routing": {"max_expensive_share": SHARE},
            "cache": {"enabled": False},
            # Patient: a busy machine is no outage.
            "redis": {"url": server.url, "prefix": prefix, "timeout_s": timeout_s},
        }
        self.turnout = Turnout(config, provider=ScriptedProvider(), scorer=TextScorer(version))

    async def ask(self, score: float) -> bool:
        """Whether it was expensive."""
        return (await self.turnout.complete(str(score))).outcome.tier == "expensive"

    @property
    def control(self) -> SharedShareControl:
        assert self.turnout._share_sync is not None
        return self.turnout._share_sync.control


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own, to do anything to."""
    server = RedisServer()
    yield server
    server.kill()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(scenario(), 60)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what it waits for happens in another object's own tasks
            await asyncio.sleep(0.01)


def worst(sent: Sequence[bool]) -> float:
    """How far off the share any 500 in a row were."""
    total = [0]
    for expensive in sent:
        total.append(total[-1] + expensive)
    return max(abs((total[at + 500] - total[at]) / 500 - SHARE) for at in range(len(sent) - 499))


async def _send(processes: Sequence[Process], scores: Sequence[float], at_once: int, rng: random.Random) -> list[bool]:
    sent: list[bool] = []
    for at in range(0, len(scores), at_once):
        asked = [rng.choice(processes).ask(score) for score in scores[at : at + at_once]]
        sent += await asyncio.gather(*asked)
    return sent


@pytest.mark.parametrize("at_once", [1, 16])
def test_all_together_keep_the_share_through_a_shift(redis_server: RedisServer, prefix: str, at_once: int) -> None:
    """Four processes, from uniform to all hard to all easy: any 500 requests of all of them."""

    async def scenario() -> None:
        rng = random.Random(1)
        processes = [Process(redis_server, prefix) for _ in range(4)]
        scores = [rng.random() for _ in range(500)]
        scores += [0.9 + 0.1 * rng.random() for _ in range(500)]
        scores += [0.01 * rng.random() for _ in range(500)]
        sent = await _send(processes, scores, at_once, rng)
        assert worst(sent) <= 0.03
        for process in processes:
            await process.turnout.aclose()

    run(scenario)


def test_who_has_the_hard_requests_gets_the_expensive_calls(redis_server: RedisServer, prefix: str) -> None:
    """Half of the traffic is easy and at one process, half hard and at another: 30 % of all, hardly any at the first.
    Each by itself would send 30 % of its own."""

    async def scenario() -> None:
        rng = random.Random(1)
        easy, hard = Process(redis_server, prefix), Process(redis_server, prefix)
        sent: list[bool] = []
        of_easy = 0
        for _ in range(350):
            first = await easy.ask(0.2 * rng.random())
            sent += [first, await hard.ask(0.8 + 0.2 * rng.random())]
            of_easy += first
        assert worst(sent) <= 0.03
        assert of_easy < 0.1 * sum(sent)
        await easy.turnout.aclose()
        await hard.turnout.aclose()

    run(scenario)


def test_what_others_owe_rides_back_on_every_request(redis_server: RedisServer, prefix: str) -> None:
    """One that decides nothing itself hears of it too: its next decision knows."""

    async def scenario() -> None:
        here, other = Process(redis_server, prefix), Process(redis_server, prefix)
        await here.ask(0.5)
        for _ in range(20):
            await other.ask(0.95)
        await until(lambda: not other.control.has_unreported)
        assert abs(other.control.debt - here.control.debt) > 0.5
        await here.turnout.complete("0.5", model="cheap")
        assert here.control.debt == pytest.approx(other.control.debt)
        await here.turnout.aclose()
        await other.turnout.aclose()

    run(scenario)


def test_a_process_that_starts_knows_the_traffic(redis_server: RedisServer, prefix: str) -> None:
    """A restart: its very first decision is right, where one that knows nothing would err for many requests. One with
    another scorer file takes no part in it."""

    async def scenario() -> None:
        rng = random.Random(1)
        old = Process(redis_server, prefix)
        for _ in range(450):
            await old.ask(0.01 * rng.random())
        await old.turnout.aclose()
        async with (new := Process(redis_server, prefix)).turnout:
            assert await new.ask(0.0099)
            assert not await new.ask(0.001)
            assert new.control.threshold < 0.01
        async with (other := Process(redis_server, prefix, version="2")).turnout:
            assert other.control.threshold == pytest.approx(0.7, abs=0.03)
            assert not await other.ask(0.0099)

    run(scenario)


def test_without_redis_each_keeps_the_share_and_with_it_all_do_again(server: RedisServer, prefix: str) -> None:
    """Killed in the middle and started empty: no request fails, each process' own share holds meanwhile, and all
    go on together within seconds, a newcomer too."""

    async def scenario() -> None:
        rng = random.Random(1)
        processes = [Process(server, prefix, timeout_s=1.0) for _ in range(2)]
        assert len(await _send(processes, [0.9 + 0.1 * rng.random() for _ in range(300)], 4, rng)) == 300
        assert not any(process.control.alone for process in processes)
        server.kill()
        for process in processes:
            sent = await _send([process], [0.9 + 0.1 * rng.random() for _ in range(600)], 4, rng)
            assert process.control.alone
            assert worst(sent) <= 0.03
        server.start()

        async def together() -> None:
            for process in processes:
                await process.ask(0.95)
            await asyncio.sleep(0.05)

        async with asyncio.timeout(5):
            while any(process.control.alone for process in processes):
                await together()
        sent = await _send(processes, [0.9 + 0.1 * rng.random() for _ in range(600)], 4, rng)
        assert worst(sent) <= 0.03
        async with (new := Process(server, prefix)).turnout:
            assert new.control.threshold > 0.9
        for process in processes:
            await process.turnout.aclose()

    run(scenario)


def test_a_decision_waits_for_nobody(server: RedisServer, prefix: str) -> None:
    """While Redis hangs a decision that asks the gate nothing takes no time, and counts."""

    async def scenario() -> None:
        here = Process(server, prefix, timeout_s=2.0)
        await here.ask(0.5)
        await until(lambda: not here.control.has_unreported)
        server.pause()
        router = here.turnout._pipeline._collaborators.router
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(100):
            router.decide(Query.from_text("0.9"))
            await asyncio.sleep(0)
        assert loop.time() - began < 1.0
        server.resume()
        await until(lambda: not here.control.has_unreported)
        assert not here.control.alone
        await here.turnout.aclose()

    run(scenario)


def test_worker_processes_keep_the_share_together(provider: LoopbackProvider, redis_server: RedisServer) -> None:
    """Three real servers; the traffic becomes all hard at once."""
    config = settings(
        provider.base_url,
        redis={"url": redis_server.url, "prefix": f"test-{secrets.token_hex(6)}", "timeout_s": 5.0},
        routing={"max_expensive_share": SHARE},
        cache={"enabled": False},
    )
    rng = random.Random(1)
    texts = [f"[{rng.randrange(100):02d}]" for _ in range(300)] + [
        f"[{rng.randrange(90, 100):02d}]" for _ in range(600)
    ]
    ports = [free_port() for _ in range(3)]

    async def ask(urls: Sequence[str]) -> list[bool]:
        sent: list[bool] = []
        async with httpx.AsyncClient(timeout=40) as client:
            for at in range(0, len(texts), 6):
                bodies = [
                    {"model": "auto", "messages": [{"role": "user", "content": text}]} for text in texts[at : at + 6]
                ]
                answers = await asyncio.gather(
                    *[client.post(f"{rng.choice(urls)}/v1/chat/completions", json=body) for body in bodies]
                )
                sent += [answer.raise_for_status().headers["x-turnout-tier"] == "expensive" for answer in answers]
        return sent

    with servers({port: uvicorn(port) for port in ports}, config, provider.base_url) as started:
        sent = asyncio.run(ask([server.url for server in started]))
    assert worst(sent) <= 0.03
