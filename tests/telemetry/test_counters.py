"""What the counters hold back of a second, and hand on as of then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.status_doors import BARE, TOKEN
from turnout.context import REFRESH_USER, user_key
from turnout.pipeline.outcomes import tell_side_calls
from turnout.ports.counting import MOST_ANSWERS
from turnout.pricing import Price
from turnout.records import Attempt, Outcome, Usage
from turnout.settings import Settings
from turnout.telemetry.counters import MOST_KINDS, Counters
from turnout.telemetry.endpoint_labels import MOST_ENDPOINTS
from turnout.telemetry.figures import Counts, summary
from turnout.testing import ManualClock

PRICES = {
    "openai/small": Price(input=Decimal(1), output=Decimal(2)),
    "openai/large": Price(input=Decimal(10), output=Decimal(20)),
}
MINUTE = 1_700_000_040


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MINUTE)


@pytest.fixture
def counters(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Counters:
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    return Counters(Settings.of(BARE), prices=lambda: PRICES, clock=clock)


def _hit(**fields: Any) -> Outcome:
    usage = Usage(prompt_tokens=fields.pop("prompt_tokens", 100), completion_tokens=10)
    shown: dict[str, Any] = {"request_id": "r", "tier": "cheap", "model": "openai/small", "reason": "cache"}
    return Outcome(decision=None, usage=usage, **{"cache": "hit", **shown, **fields})


def test_hits_are_counted_in_the_minute_in_which_they_ended(counters: Counters, clock: ManualClock) -> None:
    """One at a minute's last moment and one at the next's first stand apart, whenever they are taken."""
    clock._now = MINUTE + 59.9
    counters.request_ended(None, _hit(turnout_s=0.25))
    clock._now = MINUTE + 60.0
    counters.request_ended(None, _hit())
    counters.request_ended(None, _hit())
    clock._now = MINUTE + 7200.0
    series = counters.take().series
    assert {at: Counts(amounts).total("requests") for at, amounts in series.items()} == {MINUTE: 1, MINUTE + 60: 2}
    assert Counts(series[MINUTE]).total("turnout_us") == 250_000
    assert sum(Counts(series[MINUTE + 60]).bins("turnout").values()) == 2
    assert not counters.take()


def test_hits_of_more_kinds_than_are_held_all_count(counters: Counters) -> None:
    """Their number, their labels and what each saved."""
    for number in range(MOST_KINDS * 2):
        counters.request_ended(None, _hit(prompt_tokens=number + 1, endpoint="/a" if number % 2 else "/b"))
    counts = Counts(counters.take().series[MINUTE])
    assert counts.by("requests", 0) == {"/a": MOST_KINDS, "/b": MOST_KINDS}
    saved = sum(10_000 * (number + 1) + 200_000 for number in range(MOST_KINDS * 2))
    assert counts.by("saving") == {"cache": saved}
    assert counts.total("all_expensive") == saved


def test_what_saved_it_is_told_by_how_it_was_answered(counters: Counters) -> None:
    """A request that shared another's call counts to the cache, a like question's answer to the semantic part."""
    for cache in ("hit", "stale", "collapsed", "semantic"):
        counters.request_ended(None, _hit(cache=cache))
    each = 10_000 * 100 + 200_000
    assert Counts(counters.take().series[MINUTE]).by("saving") == {"cache": 3 * each, "semantic": each}


def test_a_hit_that_ended_with_an_error_saves_nothing(counters: Counters) -> None:
    """A stream whose listener left is a request with an error, apart from those that were served."""
    counters.request_ended(None, _hit())
    counters.request_ended(None, _hit(error="cancelled"))
    counts = Counts(counters.take().series[MINUTE])
    assert counts.by("requests", 5) == {"": 1, "cancelled": 1}
    assert counts.total("all_expensive") == 10_000 * 100 + 200_000


def _miss(model: str, usd: str, **fields: Any) -> Outcome:
    usage = Usage(prompt_tokens=100, completion_tokens=10)
    attempt = Attempt(model=model, tier="cheap", duration_s=1.0, usage=usage, cost_usd=Decimal(usd))
    shown: dict[str, Any] = {"request_id": "r", "tier": "cheap", "model": model, "reason": "scored", "usage": usage}
    return Outcome(**{"decision": None, "cache": "miss", "attempts": (attempt,), **shown, **fields})


def _money(counters: Counters) -> dict[str, Any]:
    figures = summary(counters.take().series[MINUTE], ("openai/small", "openai/large"))
    parts = figures["saving_parts_usd"]
    if parts is not None:
        assert sum(parts.values()) == pytest.approx(figures["saving_usd"], abs=1e-12)
    return figures


def test_embeddings_save_nothing_and_leave_the_parts_adding_up(counters: Counters) -> None:
    """Never routed, they would have cost the same; what failed of them is paid all the same."""
    counters.request_ended(None, _miss("openai/small", "0.5", operation="embeddings"))
    counters.request_ended(None, _miss("openai/small", "0.25", operation="embeddings", error="upstream_unavailable"))
    figures = _money(counters)
    assert (figures["cost_usd"], figures["cost_all_expensive_usd"], figures["saving_usd"]) == (0.75, 0.5, -0.25)


def test_a_renewal_of_a_stored_answer_is_a_cost_of_the_cache(counters: Counters) -> None:
    """Nobody asked, so it would not have been asked of the expensive tier either."""
    counters.request_ended(None, _miss("openai/small", "0.5", user=REFRESH_USER))
    figures = _money(counters)
    assert (figures["cost_all_expensive_usd"], figures["saving_usd"]) == (0, -0.5)
    assert figures["saving_parts_usd"]["cache"] == -0.5


def test_what_answered_nobody_is_told_apart(counters: Counters) -> None:
    """An attempt that answered, of a request that failed all the same, is a failed one's cost."""
    counters.request_ended(None, _miss("openai/small", "0.5", error="cancelled"))
    counters.request_ended(None, _miss("openai/small", "0.25"))
    assert _money(counters)["failed_attempts_usd"] == 0.5


@pytest.mark.parametrize("endpoint", ["/" + "x" * 100, "/a\nb", "/\u2028", "/\x00"])
def test_a_path_that_is_no_name_is_one_with_the_others(counters: Counters, endpoint: str) -> None:
    """However many are invented."""
    counters.request_ended(None, _hit(endpoint=endpoint))
    assert Counts(counters.take().series[MINUTE]).by("requests", 0) == {"other": 1}


def test_paths_beyond_the_first_are_one(counters: Counters) -> None:
    """The settings' own stand apart always."""
    for number in range(MOST_ENDPOINTS * 3):
        counters.request_ended(None, _hit(endpoint=f"/{number}"))
    counts = Counts(counters.take().series[MINUTE]).by("requests", 0)
    assert len(counts) <= MOST_ENDPOINTS + 1
    assert counts["other"] >= MOST_ENDPOINTS
    assert counts["/0"] == 1


def test_a_code_of_a_provider_s_own_is_one_with_the_others(counters: Counters) -> None:
    """A series for each would be as many as providers invent."""
    for number in range(5):
        counters.request_ended(None, _miss("openai/small", "0", error=f"code_{number}"))
    counters.request_ended(None, _miss("openai/small", "0", error="overloaded"))
    assert Counts(counters.take().series[MINUTE]).by("requests", 5) == {"other": 5, "overloaded": 1}


@pytest.mark.parametrize(
    ("shown", "user"),
    [
        *((True, "ann"), (False, "ann"), (True, "a" * 101), (True, "a\nb"), (True, "user:bob")),
        # Shaped as another user's hash.
        (True, user_key("ann")),
    ],
)
def test_who_spends_is_told_by_hash_or_by_id(clock: ManualClock, shown: bool, user: str) -> None:
    """By the id only where the settings say so, and only where it can be read; without a name all are one."""
    counters = Counters(Settings.of({**BARE, "status": {"user_ids": shown}}), prices=lambda: PRICES, clock=clock)
    counters.request_ended(None, _miss("openai/small", "0.5", user=user))
    counters.request_ended(None, _miss("openai/small", "0.25", user="anonymous"))
    (spenders,) = counters.take().spenders.values()
    name = user if shown and user in ("ann", "user:bob") else user_key(user)
    assert spenders == {name: 500_000_000, "anonymous": 250_000_000}


def test_what_no_store_takes_is_bounded(counters: Counters, clock: ManualClock) -> None:
    """Two hours of minutes, and the last answers: an outage of days costs no more."""
    for minute in range(300):
        clock._now = MINUTE + 60 * minute
        counters.request_ended(None, _hit(request_id=f"r{minute}"))
        counters.give_back(counters.take())
    assert len(counters.take().series) <= 121


def test_the_answers_that_may_be_rated_are_bounded(counters: Counters) -> None:
    """The newest of them stay."""
    for number in range(2 * MOST_ANSWERS + 10):
        counters._remember(f"r{number}", b"")
    answers = counters.take().answers
    assert len(answers) <= 2 * MOST_ANSWERS
    assert f"r{2 * MOST_ANSWERS + 9}" in answers


def test_a_model_without_a_price_makes_the_saving_unknown(counters: Counters) -> None:
    """Its answers are not for nothing, though nothing is known to have been paid."""
    counters.request_ended(None, _miss("openai/local", "0"))
    figures = _money(counters)
    assert figures["saving_usd"] is None
    assert "without a known price" in figures["saving_unknown"]


def test_whoever_hands_the_counts_on_is_called_once_a_second(counters: Counters, clock: ManualClock) -> None:
    """And again for the first request after they were taken."""
    calls: list[float] = []
    counters.changed = lambda: calls.append(clock.time())
    for offset in (0.0, 0.5, 1.0):
        clock._now = MINUTE + offset
        counters.request_ended(None, _hit())
    counters.take()
    counters.request_ended(None, _hit())
    assert calls == [MINUTE, MINUTE + 1.0, MINUTE + 1.0]


@pytest.mark.parametrize(("model", "known"), [("openai/small", True), ("openai/new", False)])
def test_a_side_call_without_a_price_makes_the_saving_unknown(counters: Counters, model: str, known: bool) -> None:
    """What it cost nobody knows: it is not for nothing."""
    counters.request_ended(None, _miss("openai/small", "0.5"))
    attempt = Attempt(model=model, tier="cheap", duration_s=1.0, usage=Usage(prompt_tokens=9), cost_usd=Decimal(0))
    tell_side_calls(counters, "semantic_embedding", "", [attempt])
    assert (_money(counters)["saving_parts_usd"] is not None) is known
