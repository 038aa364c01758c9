"""How long a caller listens."""

from __future__ import annotations

import pytest

from tests.pipeline.world import CHEAP, SPARE, World, run
from turnout.errors import (
    DeadlineExceeded,
)
from turnout.testing import Hangs


def test_a_deadline_ends_a_hanging_call() -> None:
    """The caller's lower one ends its own waiting; the settings' one ends everybody's."""

    async def scenario(w: World) -> None:
        for name in (CHEAP, SPARE):
            w.provider.say(name, Hangs())
        began = w.clock.monotonic()
        with pytest.raises(DeadlineExceeded):
            await w.ask(deadline_s=2.0)
        assert w.clock.monotonic() - began == pytest.approx(2.0)
        with pytest.raises(DeadlineExceeded):
            await w.ask("other")
        assert w.clock.monotonic() - began <= 62.5

    run(scenario)
