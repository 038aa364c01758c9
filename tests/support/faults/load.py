"""A steady load of honest requests on Turnouts in this process, and what came of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from tests.support.faults.row import Row
from turnout import Turnout
from turnout.context import Caller, user_key
from turnout.errors import ServedError
from turnout.ports.admission import Settlement
from turnout.ports.runtime import ProviderCall
from turnout.pricing import usd
from turnout.quota.policies import Policies

RATE_PER_S = 40.0
CALL_USD, BUDGET_USD = 0.01, 0.5
TOKENS = 100
GOOD_REFUSALS = (429, 503, 504)
GIVEN_UP_S = 15.0
# So long nobody is refused who should not be: the fault is over. One hiccup of the machine later is none of it.
HEALED_S = 1.0


class Books:
    """A provider that repeats the prompt, and keeps what each user's calls cost."""

    def __init__(self, latency_s: float = 0.02) -> None:
        self.calls: Counter[str] = Counter()
        self._latency_s = latency_s

    async def load(self) -> None:
        return None

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        text = str(call.messages[-1]["content"])
        self.calls[text.partition(" ")[0]] += 1
        await asyncio.sleep(self._latency_s)
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 0, "completion_tokens": TOKENS, "total_tokens": TOKENS}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}

    async def stream(self, call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
        raise NotImplementedError
        yield {}

    async def close(self) -> None:
        return None

    @property
    def overspent_usd(self) -> float:
        """Above the budget of each user."""
        return sum(max(0.0, calls * CALL_USD - BUDGET_USD) for calls in self.calls.values())


class Refused(Exception):
    """A request that was not answered. status: 503 too where a stream that had begun ended with an error event."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(status, what)
        self.status = status


class Load:
    """Asks the Turnouts in turn: every other request is one of a user whose budget runs out, the others are of users
    who never ask twenty times."""

    def __init__(self, turnouts: Sequence[Turnout], **params: Any) -> None:
        self._turnouts = turnouts
        self._params = {"model": "cheap", "max_tokens": TOKENS, **params}
        self._asked: list[asyncio.Task[None]] = []
        self.results: Counter[str] = Counter()
        self.wrong: list[str] = []
        # When a request was asked that was refused though its user's budget had room, time.monotonic().
        self._refused_at: list[float] = []
        self._asked_last = 0.0
        self._number = 0

    async def run(self, seconds: float) -> None:
        """So many seconds of requests, none waited for."""
        begun = time.monotonic()
        for number in range(int(seconds * RATE_PER_S)):
            await asyncio.sleep(max(0.0, begun + number / RATE_PER_S - time.monotonic()))
            self._asked.append(asyncio.create_task(self._one()))

    async def finish(self) -> None:
        await asyncio.gather(*self._asked)

    async def _one(self) -> None:
        self._number = number = self._number + 1
        poor = number % 2 == 0
        user = "poor" if poor else f"u{number // 40}"
        text, due = f"{user} question {number}", time.monotonic()
        self._asked_last = due
        try:
            async with asyncio.timeout(GIVEN_UP_S):
                answer = await self.ask(number // 2, text, user)
        except Refused as error:
            self.results["refused" if error.status in GOOD_REFUSALS else "wrong"] += 1
            if error.status not in GOOD_REFUSALS:
                self.wrong.append(repr(error))
            if not poor:
                self._refused_at.append(due)
        except Exception as error:
            self.results["wrong"] += 1
            self.wrong.append(repr(error))
            self._refused_at.append(due)
        else:
            right = answer == text
            self.results["answered" if right else "wrong"] += 1
            if not right:
                self.wrong.append(f"{text!r} was answered {answer!r}")

    async def ask(self, number: int, text: str, user: str) -> str:
        """The text of the answer. Raises Refused."""
        turnout = self._turnouts[number % len(self._turnouts)]
        try:
            answer = await turnout.complete(text, caller=Caller(user=user, endpoint="/ask"), **self._params)
        except ServedError as error:
            raise Refused(error.told_status, repr(error)) from error
        return answer.text

    @property
    def users(self) -> list[str]:
        return ["poor", *(f"u{number}" for number in range(self._number // 40 + 1))]

    def row(self, fault: str, *, ended: float, overspent_usd: float, reserved_usd: float, **wanted: Any) -> Row:
        """ended: when the fault was over, time.monotonic()."""
        return Row(
            fault=fault,
            asked=self._number,
            answered=self.results["answered"],
            refused=self.results["refused"],
            wrong=self.results["wrong"],
            overspent_usd=overspent_usd,
            reserved_usd=reserved_usd,
            healed_s=self._healed_s(ended),
            **wanted,
        )

    def _healed_s(self, ended: float) -> float:
        """From `ended` to the last refusal before HEALED_S without one; infinite where refusals do not end."""
        last = ended
        for due in sorted(self._refused_at):
            if due - last >= HEALED_S:
                return last - ended
            last = max(last, due)
        return math.inf if last > ended and self._asked_last - last < HEALED_S else last - ended


async def reserved_usd(turnout: Turnout, users: Sequence[str]) -> float:
    """What is still held for these users; asked again for up to 3 s while it is anything."""
    policies, held = Policies(turnout.settings), 0.0
    for _ in range(15):
        claims = [claim for user in users for claim in policies.of_key(user_key(user), turnout.clock.time())]
        states = await turnout._stores.gate.leave(Settlement(key=None, lease="", budgets=tuple(claims)))
        held = float(usd(sum(state.reserved for state in states)))
        if not held:
            break
        await asyncio.sleep(0.2)
    return held
