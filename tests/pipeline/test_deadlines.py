"""A caller's own deadline: it lowers what the settings allow, never raises it, and binds nobody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.pipeline.world import CHEAP, World, run
from turnout.errors import DeadlineExceeded
from turnout.testing import Hangs, Says


@pytest.mark.parametrize(("wanted_s", "least_s", "most_s"), [(60.0, 5.0, 6.0), (2.0, 2.0, 2.1)])
def test_a_callers_deadline_lowers_the_configured_one_and_never_raises_it(
    wanted_s: float, least_s: float, most_s: float
) -> None:
    """Five seconds are configured: sixty are not had, two are."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Hangs())
        began = w.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await w.ask(deadline_s=wanted_s)
        assert least_s <= w.clock.monotonic() - began <= most_s

    run(scenario, retry={"deadline_s": 5.0, "attempts": 1})


def test_a_lower_deadline_ends_its_callers_wait_and_not_the_shared_call() -> None:
    """The first caller of a shared call goes after a second; the second caller has the answer after three."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, Says("late", after_s=3.0))
        hasty = asyncio.ensure_future(w.ask(deadline_s=1.0))
        await asyncio.sleep(0)
        patient = asyncio.ensure_future(w.ask())
        with pytest.raises(DeadlineExceeded):
            await hasty
        assert (await patient).text == "late"
        assert w.provider.calls == {CHEAP: 1}

    run(scenario)
