"""What one process may take of limits and budgets while Redis is unreachable."""

from __future__ import annotations

from turnout.ports.admission import Ask, Entry
from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateRefused, RateState
from turnout.stores.local_share import LastStates, local_ask, with_claims_of

RATE = RateClaim(policy="user", key="ann", limit=100, window_s=60)
BUDGET = BudgetClaim(policy="user", key="ann", limit=1000, windows=((0, 100),))
ASK = Ask(key=b"k", rates=(RATE,), budgets=(BUDGET,), worst=(50, 5))


def test_each_worker_has_its_share_of_a_limit() -> None:
    """Rounded down, but never so low that no request fits."""
    assert local_ask(ASK, 3, LastStates(), None, at=0).rates[0].limit == 33
    assert local_ask(ASK, 1000, LastStates(), None, at=0).rates[0].limit == 1


def test_a_limit_is_shared_by_what_was_left_of_it() -> None:
    """Until a whole window has passed since Redis reported it; nothing of nothing."""
    last_states = LastStates()
    last_states.record((RateState(claim=RATE, remaining=10, reset_s=5),), (), 100)
    assert local_ask(ASK, 3, last_states, None, at=159).rates[0].limit == 3
    assert local_ask(ASK, 20, last_states, None, at=159).rates[0].limit == 0
    assert local_ask(ASK, 3, last_states, None, at=160).rates[0].limit == 33


def test_of_a_budget_only_what_is_allowed_is_spent() -> None:
    """Without that, nothing is."""
    assert local_ask(ASK, 2, LastStates(), [300], at=0).budgets[0].limit == 300
    assert local_ask(ASK, 2, LastStates(), None, at=0).budgets == ()


def test_a_local_entry_gets_back_the_claims_that_were_made() -> None:
    """Not of the shares."""
    here = local_ask(ASK, 4, LastStates(), [100], at=0)
    local_entry = Entry(
        verdict=RateRefused(claim=here.rates[0], retry_after_s=3),
        rates=(RateState(claim=here.rates[0], remaining=0, reset_s=3),),
        budgets=(BudgetState(claim=here.budgets[0], spent=1, reserved=2, start=0, end=100),),
    )
    entry = with_claims_of(ASK, here, local_entry)
    assert entry.verdict == RateRefused(claim=RATE, retry_after_s=3)
    assert entry.rates[0].claim == RATE
    assert entry.budgets[0].claim == BUDGET


def test_what_is_remembered_is_bounded() -> None:
    """The state that was returned longest ago is forgotten first."""
    last_states = LastStates(2)
    for key in ("a", "b", "a", "c"):
        claim = RateClaim(policy="user", key=key, limit=1, window_s=1)
        state = RateState(claim=claim, remaining=1, reset_s=0)
        last_states.record((state,), (), 0)
    assert [state.claim.key for state in last_states.rates] == ["a", "c"]
