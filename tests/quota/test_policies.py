"""Which limits and budgets apply to whom, and under which keys."""

from __future__ import annotations

from turnout.context import Caller
from turnout.quota.policies import Policies
from turnout.settings import Settings

TIERS = {"tiers": {"cheap": {"models": ["a/x"]}, "expensive": {"models": ["a/y"]}}}


def policies(**sections: object) -> Policies:
    return Policies(Settings.from_mapping({**TIERS, **sections}))


def test_nothing_set_nothing_applies() -> None:
    """No claim, and no work."""
    assert not policies().any
    assert policies().rates(Caller(user="ann")) == ()
    assert policies().budgets(Caller(user="ann"), 0) == ()


def test_each_limit_claims_its_own_counter() -> None:
    """By user, by endpoint and by both."""
    limits = {
        "per_user": "60/minute",
        "per_endpoint": ["1000/minute", "100k tokens/hour"],
        "per_user_endpoint": "5/second",
    }
    claims = policies(limits=limits).rates(Caller(user="ann", endpoint="/ask"))
    assert [claim.policy for claim in claims] == ["user", "endpoint", "endpoint", "user-endpoint"]
    assert [(c.limit, c.window_s, c.unit) for c in claims[1:3]] == [(1000, 60, "requests"), (100_000, 3600, "tokens")]
    assert claims[1].key == "endpoint:/ask"
    assert len({claim.key for claim in claims}) == 3


def test_an_endpoint_of_its_own_stands_in_the_place_of_the_general_one() -> None:
    """There and nowhere else."""
    own = {"/ask": {"rate": "7/minute", "budget": "5/day"}}
    both = policies(
        limits={"per_endpoint": "9/minute"}, budgets={"per_endpoint": "20/day", "total": "50/month"}, endpoints=own
    )
    assert [claim.limit for claim in both.rates(Caller(endpoint="/ask"))] == [7]
    assert [claim.limit for claim in both.rates(Caller(endpoint="/other"))] == [9]
    assert [claim.limit for claim in both.budgets(Caller(endpoint="/ask"), 0)] == [5 * 10**9, 50 * 10**9]
    assert [claim.limit for claim in both.budgets(Caller(endpoint="/other"), 0)] == [20 * 10**9, 50 * 10**9]


def test_no_key_holds_what_a_user_is_called() -> None:
    """An app that takes an API key for an id does not find it in Redis. Anonymous callers are one user."""
    limited = policies(limits={"per_user": "1/minute", "per_user_endpoint": "1/minute"}, budgets={"per_user": "1/day"})
    caller = Caller(user="sk-secret-123\ud800", endpoint="/ask")
    keys = [claim.key for claim in (*limited.rates(caller), *limited.budgets(caller, 0))]
    assert len(keys) == 3
    assert not any("secret" in key for key in keys)
    assert limited.rates(Caller())[0].key == limited.rates(Caller(endpoint="/x"))[0].key


def test_a_rolling_budget_has_a_length_and_a_calendar_one_has_windows() -> None:
    """In the configured zone."""
    day, rolling = policies(budgets={"total": ["1/day", "5/24h"], "time_zone": "Asia/Tokyo"}).budgets(Caller(), 1e9)
    assert day.rolling_s is None
    assert day.windows[1][0] <= 1e9 < day.windows[1][1]
    assert day.windows[1][0] % 86400 == 15 * 3600
    assert (rolling.windows, rolling.rolling_s) == ((), 86400)


def test_of_two_bounds_of_one_window_the_stricter_applies() -> None:
    """They would share one account, and each call would count in it twice. Another unit is another account."""
    both = policies(
        limits={"per_user": ["8/60s", "4/minute", "4/minute", "5/hour", "9 tokens/minute"]},
        budgets={"total": ["2/1d", "1/24h", "3/day"]},
        endpoints={"/ask": {"rate": ["7/minute", "6/60s"]}},
    )
    caller = Caller(user="ann", endpoint="/ask")
    rates = [(c.policy, c.limit, c.window_s, c.unit) for c in both.rates(caller)]
    assert rates == [
        ("user", 4, 60, "requests"),
        ("user", 5, 3600, "requests"),
        ("user", 9, 60, "tokens"),
        ("endpoint", 6, 60, "requests"),
    ]
    assert [c.limit for c in both.budgets(caller, 0)] == [10**9, 3 * 10**9]
    assert [c.limit for c in both.of_key("total", 0)] == [10**9, 3 * 10**9]
