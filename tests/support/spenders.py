"""Processes that spend from one budget as fast as they are let, and the books that their provider keeps.

`python -m tests.support.spenders REDIS_URL NUMBER CLIENTS` is one worker of them: it prints what it did as JSON.
The provider's books stand in the same Redis, where each charge reads the ledger in the same step.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import redis.asyncio

from turnout import Turnout
from turnout.attempt_errors import ProviderFailed
from turnout.clock import SystemClock
from turnout.context import Caller
from turnout.errors import BudgetExceeded, ServedError
from turnout.ports.admission import Ask, Entry, Gate, Settlement
from turnout.ports.limits import BudgetRefused
from turnout.ports.runtime import ProviderCall
from turnout.pricing import Price, nano
from turnout.quota.cost_bounds import cost_bound
from turnout.quota.token_bounds import prompt_size
from turnout.records import Attempt
from turnout.settings import Settings
from turnout.stores.factory import stores_from
from turnout.testing import FixedScorer, chunk, completion, usage_body

LIMIT = 1_000_000_000
PRICES = {
    "a/small": Price(input=Decimal(2), output=Decimal(20)),
    "a/large": Price(input=Decimal(10), output=Decimal(60)),
}

# Charges, and notes the most that the books and the ledger ever held. The account is found once: it is the only one.
CHARGE = """
local books = redis.call('INCRBY', 'books', ARGV[1])
local account = redis.call('GET', 'account')
if not account then
  account = redis.call('KEYS', '{turnout}:b:*')[1]
  redis.call('SET', 'account', account)
end
local held = redis.call('HMGET', account, 's', 'r')
local ledger = tonumber(held[1] or 0) + tonumber(held[2] or 0)
local function most(name, value)
  if value > tonumber(redis.call('GET', name) or 0) then redis.call('SET', name, string.format('%.0f', value)) end
end
most('most_books', books)
most('most_ledger', ledger)
"""


def settings(url: str) -> Settings:
    priced = {
        name: {"input_usd_per_million": price.input, "output_usd_per_million": price.output}
        for name, price in PRICES.items()
    }
    return Settings.from_mapping(
        {
            "tiers": {"cheap": {"models": ["a/small"]}, "expensive": {"models": ["a/large"]}},
            "models": priced,
            "routing": {"threshold": 0.5},
            "cache": {"enabled": False},
            "retry": {"attempts": 2, "base_s": 0.001, "cap_s": 0.002},
            "budgets": {"total": "1/month", "default_max_output_tokens": 100},
            # Patient: a busy machine is no defect of the ledger.
            "redis": {"url": url, "timeout_s": 10},
        }
    )


class Charging:
    """A Provider that charges a random real cost when it begins, and fails one call in ten, charged or not."""

    def __init__(self, books: redis.asyncio.Redis, chances: random.Random) -> None:
        self._books = books
        self._chances = chances
        self.charged = 0

    async def load(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def _charge(self, call: ProviderCall) -> tuple[int, int]:
        chances, cap = self._chances, call.params["max_tokens"]
        text = str(call.messages[0]["content"])
        prompt, answer = chances.randint(1, len(text) + 20), chances.randint(1, cap)
        fails = chances.random() < 0.1
        if not (fails and chances.random() < 0.5):
            price = PRICES[call.model]
            cost = nano((prompt * price.input + answer * price.output) / 1_000_000)
            # Billed even where whoever asked has left.
            await asyncio.shield(self._bill(cost))
        await asyncio.sleep(chances.uniform(0.001, 0.03))
        if fails:
            raise ProviderFailed("no")
        return prompt, answer

    async def _bill(self, cost: int) -> None:
        self.charged += cost
        await self._books.eval(CHARGE, 0, cost)

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        prompt, answer = await self._charge(call)
        return completion("word", model=call.model, prompt_tokens=prompt, completion_tokens=answer)

    async def stream(self, call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
        prompt, answer = await self._charge(call)
        for _ in range(5):
            yield chunk({"content": "word "}, model=call.model)
            await asyncio.sleep(self._chances.uniform(0.0, 0.005))
        yield chunk({}, model=call.model, finish_reason="stop")
        yield {**chunk({}, model=call.model), "choices": [], "usage": usage_body(prompt, answer)}


class Bookkeeper:
    """An Observer that adds up by itself what the ledger must hold: known costs, and the worst of the unknown."""

    def __init__(self) -> None:
        self.expected = 0
        self.unknown = 0

    def request_started(self, request_id: str) -> Any:
        return None

    def request_ended(self, token: Any, outcome: Any) -> None:
        return None

    def attempt_started(self, token: Any, call: ProviderCall, **_: Any) -> Any:
        return call

    def attempt_ended(self, token: ProviderCall, attempt: Attempt) -> None:
        if attempt.usage is not None and not attempt.usage.estimated:
            self.expected += nano(attempt.cost_usd)
            return
        size = prompt_size(token.messages, token.params, {})
        from turnout.settings import Model

        self.expected += cost_bound(Model(), PRICES[token.model], size, token.params, {}, 100).cost
        self.unknown += 1

    def event(self, token: Any, name: str, attributes: Any) -> None:
        return None


class Watching:
    """A Gate that notes how the budget stood at each refusal."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.refusals: list[tuple[float, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def enter(self, ask: Ask) -> Entry:
        entry = await self._gate.enter(ask)
        if isinstance(entry.verdict, BudgetRefused):
            (state,) = entry.budgets
            self.refusals.append((state.end and SystemClock().time(), state.spent + state.reserved))
        return entry

    async def leave(self, settlement: Settlement) -> Any:
        return await self._gate.leave(settlement)


async def work(url: str, number: int, clients: int) -> dict[str, Any]:
    chances = random.Random(number)
    asked = settings(url)
    books = redis.asyncio.Redis.from_url(url)
    provider, keeper = Charging(books, chances), Bookkeeper()
    gate = Watching(stores_from(asked, SystemClock(), lambda up, why: None).gate)
    scorer = FixedScorer(0.0, scores={"hard": 1.0})
    turnout = Turnout(asked, provider=provider, observer=keeper, gate=gate, scorer=scorer)  # type: ignore[arg-type]
    did: Counter[str] = Counter()

    async def client() -> None:
        while True:
            text = chances.choice(["easy ", "hard "]) + "x" * chances.randint(0, 150)
            params: dict[str, Any] = {"max_tokens": chances.randint(20, 150)} if chances.random() < 0.8 else {}
            asking = asyncio.ensure_future(_one(turnout, text, params, stream=chances.random() < 0.3))
            if chances.random() < 0.1:
                asyncio.get_running_loop().call_later(chances.uniform(0.0, 0.03), asking.cancel)
            try:
                await asking
                did["served"] += 1
            except BudgetExceeded as refused:
                did["refused"] += 1
                if refused.retry_after_s is not None and refused.retry_after_s > 1:
                    return
                await asyncio.sleep(0.02)
            except ServedError:
                did["failed"] += 1
            except asyncio.CancelledError:
                did["cancelled"] += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    await turnout.aclose()
    await books.aclose()
    return {
        "expected": keeper.expected,
        "unknown": keeper.unknown,
        "charged": provider.charged,
        "refusals": gate.refusals[:50],
        **did,
    }


async def _one(turnout: Turnout, text: str, params: dict[str, Any], *, stream: bool) -> None:
    if not stream:
        await turnout.complete(text, caller=Caller(user="ann"), **params)
        return
    async with turnout.stream(text, caller=Caller(user="ann"), **params) as chunks:
        async for _ in chunks:
            pass


def spend(url: str, *, workers: int, clients: int) -> list[dict[str, Any]]:
    """What each of so many processes did with so many clients each, all at once."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-m", "tests.support.spenders", url]
    running = [
        subprocess.Popen([*command, str(number), str(clients)], cwd=root, stdout=subprocess.PIPE)
        for number in range(workers)
    ]
    actual = [worker.communicate(timeout=120)[0] for worker in running]
    return [json.loads(text) for text in actual]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
