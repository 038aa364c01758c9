"""A Turnout with a cascade on the scripted provider and the manual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.pipeline.world import CHEAP, DEAR, PRICES, SPARE, World
from tests.support.fixed_verifier import VerifyingScorer
from turnout import Turnout
from turnout.ports.runtime import Observer
from turnout.testing import ManualClock, Says, ScriptedProvider

DEARER = {"input_usd_per_million": 10, "output_usd_per_million": 100}


def world(
    scorer: VerifyingScorer | None = None,
    *,
    mode: str = "on",
    chance: float = 0.5,
    observer: Observer | None = None,
    **sections: Any,
) -> World:
    """As `tests.pipeline.world.world`, with a verifier and an expensive tier of ten times the price."""
    cascade = {"mode": mode, **sections.pop("cascade", {})}
    routing = {"cascade": cascade, **sections.pop("routing", {"threshold": 0.5})}
    config = {
        "tiers": {"cheap": {"models": [CHEAP, SPARE]}, "expensive": {"models": [DEAR]}},
        "models": {CHEAP: dict(PRICES), SPARE: dict(PRICES), DEAR: dict(DEARER)},
        "retry": {"attempts": 1},
        "routing": routing,
        **sections,
    }
    clock, scorer = ManualClock(), scorer or VerifyingScorer()
    provider = ScriptedProvider(clock=clock)
    provider.say(DEAR, Says("dear"))
    turnout = Turnout(config, clock=clock, provider=provider, scorer=scorer, observer=observer, chance=lambda: chance)
    return World(turnout, provider, clock, scorer)


def run(scenario: Callable[[World], Awaitable[None]], scorer: VerifyingScorer | None = None, **sections: Any) -> None:
    """Runs the scenario and holds afterwards that nothing is left over."""

    async def main() -> None:
        here = world(scorer, **sections)
        await scenario(here)
        await here.turnout.aclose()
        assert here.provider.open == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def models_of(outcome: Any) -> list[str]:
    """Who was asked, in the order of the record."""
    return [attempt.model for attempt in outcome.attempts]
