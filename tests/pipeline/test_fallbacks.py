"""What a caller is given when no model answered."""

from __future__ import annotations

from tests.pipeline.world import CHEAP, SPARE, World, run
from turnout.attempt_errors import ProviderFailed


def test_nothing_left_but_a_stale_answer_then_a_plain_one() -> None:
    """Stale where it was seen before, the configured words where it was not, both told as what they are."""

    async def scenario(w: World) -> None:
        await w.ask("seen")
        await w.clock.advance(3601)
        for name in (CHEAP, SPARE):
            w.provider.say(name, ProviderFailed("down"))
        stale = (await w.ask("seen")).outcome
        assert (stale.cache, stale.reason, int(stale.age_s)) == ("stale", "cache", 3601)
        plain = await w.ask("unseen")
        assert plain.text == "We are busy."
        assert (plain.outcome.tier, plain.outcome.reason, plain.outcome.cost_usd) == ("none", "fallback_answer", 0)

    run(scenario, fallback={"answer": "We are busy."})
