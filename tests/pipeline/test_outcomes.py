"""Where a request's time went: inference, waiting and our own are told apart."""

from __future__ import annotations

import pytest

from tests.pipeline.world import CHEAP, World, run
from turnout.api.response_headers import outcome_headers
from turnout.attempt_errors import ProviderFailed
from turnout.testing import Says


@pytest.mark.parametrize("streamed", [False, True])
def test_back_off_is_not_counted_as_our_own_time(streamed: bool) -> None:
    """The clock only moves in back-off and inference, so nothing is left for `turnout;dur`, whole or streamed."""

    async def scenario(w: World) -> None:
        w.provider.say(CHEAP, ProviderFailed("no"), Says("ok", after_s=2.0))
        outcome = (await w.open_stream()).head if streamed else (await w.ask()).outcome
        assert outcome.waited_s > 0
        assert outcome.inference_s == pytest.approx(2.0)
        assert outcome.turnout_s == pytest.approx(0.0, abs=1e-9)
        timing = dict(outcome_headers(outcome))["server-timing"]
        assert timing == f"turnout;dur=0.00, inference;dur=2000.00, wait;dur={outcome.waited_s * 1000:.2f}"

    run(scenario, retry={"attempts": 2, "base_s": 1.0})
