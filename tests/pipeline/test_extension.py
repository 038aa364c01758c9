"""What a request's `turnout` object changes, from the call to the outcome."""

from __future__ import annotations

import pytest

from tests.pipeline.world import DEAR, World, run
from turnout.errors import DeadlineExceeded, InvalidRequest
from turnout.testing import Says


def test_a_tier_is_forced_and_may_not_contradict_the_model() -> None:
    """As the model's name would; a model of that tier stays itself."""

    async def scenario(w: World) -> None:
        forced = (await w.ask("easy", params={"turnout": {"tier": "expensive"}})).outcome
        assert (forced.tier, forced.reason) == ("expensive", "forced")
        named = await w.ask("other", params={"model": DEAR, "turnout": {"tier": "expensive"}})
        assert named.outcome.model == DEAR
        with pytest.raises(InvalidRequest) as refused:
            await w.ask("easy", params={"model": DEAR, "turnout": {"tier": "cheap"}})
        assert refused.value.param == "turnout.tier"
        assert all("turnout" not in call.params for call in w.provider.seen)

    run(scenario)


def test_a_threshold_only_lowers_what_is_spent() -> None:
    """Above the settings' it counts, below it does not; the two answers are cached apart."""

    async def scenario(w: World) -> None:
        assert (await w.ask("easy", params={"turnout": {"threshold": 0.0}})).outcome.tier == "cheap"
        declined = (await w.ask("hard", params={"turnout": {"threshold": 0.95}})).outcome
        assert (declined.tier, declined.decision.threshold) == ("cheap", 0.95)
        assert (await w.ask("hard")).outcome.tier == "expensive"

    run(scenario)


def test_what_a_caller_declines_is_not_made_up_for_elsewhere() -> None:
    """Under a share, requests that decline the expensive tier owe it nothing."""

    async def scenario(w: World) -> None:
        for number in range(60):
            await w.ask(f"hard {number}", params={"turnout": {"threshold": 1.0}})
        later = [(await w.ask(f"easy {number}")).outcome.tier for number in range(100)]
        assert later.count("expensive") <= 100 * 0.3 + 7

    run(scenario, routing={"max_expensive_share": 0.3})


def test_cache_false_is_neither_looked_up_nor_stored() -> None:
    """As the caller's no-store."""

    async def scenario(w: World) -> None:
        for _ in range(2):
            assert (await w.ask("easy", params={"turnout": {"cache": False}})).outcome.cache == "request"
        assert (await w.ask("easy")).outcome.cache == "miss_stored"
        assert w.provider.calls.total() == 3

    run(scenario)


def test_a_deadline_is_lowered_and_never_raised() -> None:
    """The lower of the body's and the header's counts."""

    async def scenario(w: World) -> None:
        w.provider.say("openai/small", Says("late", after_s=3.0))
        for own_ms, header_s in ((1_000, None), (90_000, 1.0)):
            before = w.clock.monotonic()
            with pytest.raises(DeadlineExceeded):
                await w.ask("easy", params={"turnout": {"deadline_ms": own_ms}}, deadline_s=header_s)
            assert w.clock.monotonic() - before == 1.0
            await w.clock.advance(10)

    run(scenario)
