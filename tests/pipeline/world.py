"""A Turnout on the scripted provider and the manual clock: no socket, no sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from turnout import Turnout
from turnout.context import Caller, Directives, RequestContext
from turnout.openai.requests import from_call
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider

CHEAP, SPARE, DEAR = "openai/small", "openai/spare", "openai/large"
PRICES = {"input_usd_per_million": 1, "output_usd_per_million": 10}


@dataclass
class World:
    """A Turnout over fakes."""

    turnout: Turnout
    provider: ScriptedProvider
    clock: ManualClock
    scorer: FixedScorer

    def context(self, user: str = "ann", **directives: Any) -> RequestContext:
        return self.turnout.context(Caller(user=user), Directives(**directives))

    async def ask(self, text: str = "easy", user: str = "ann", params: Any = None, **directives: Any) -> Any:
        request = from_call(text, stream=False, params=params or {})
        work = asyncio.ensure_future(self.turnout.completed(request, self.context(user, **directives)))
        await self.clock.run(work)
        return work.result()

    async def open_stream(self, text: str = "easy", **directives: Any) -> Any:
        request = from_call(text, stream=True, params={})
        work = asyncio.ensure_future(self.turnout.streamed(request, self.context(**directives)))
        await self.clock.run(work)
        return work.result()

    async def read(self, stream: Any) -> str:
        async def all_of_it() -> str:
            return "".join([c["choices"][0]["delta"].get("content") or "" async for c in stream])

        work = asyncio.ensure_future(all_of_it())
        await self.clock.run(work)
        return work.result()


def world(*, scorer: FixedScorer | None = None, **sections: Any) -> World:
    config = {
        "tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}},
        "models": {name: dict(PRICES) for name in (CHEAP, SPARE, DEAR)},
        "routing": {"threshold": 0.5},
        **sections,
    }
    clock = ManualClock()
    provider = ScriptedProvider(clock=clock)
    scorer = scorer or FixedScorer(0.1, scores={"hard": 0.9})
    return World(Turnout(config, clock=clock, provider=provider, scorer=scorer), provider, clock, scorer)


def run(scenario: Callable[[World], Awaitable[None]], *, scorer: FixedScorer | None = None, **sections: Any) -> None:
    """Runs the scenario and holds afterwards that nothing is left over."""

    async def main() -> None:
        here = world(scorer=scorer, **sections)
        await scenario(here)
        await here.turnout.aclose()
        assert here.provider.open == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
