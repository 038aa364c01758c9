"""What one process may take of limits and budgets while it cannot ask for the others."""

from __future__ import annotations

from turnout.ports.admission import Ask, Entry, Lead
from turnout.ports.limits import BudgetClaim, BudgetState, RateClaim, RateRefused, RateState
from turnout.stores.local_share import Remembered, as_asked, local_ask

RATE = RateClaim(policy="user", key="ann", limit=100, window_s=60)
BUDGET = BudgetClaim(policy="user", key="ann", limit=1000, windows=((0, 100),))
ASK = Ask(key=b"k", rates=(RATE,), budgets=(BUDGET,), worst=(50, 5))


def _told(spent: int, reserved: int) -> Entry:
    state = BudgetState(claim=BUDGET, spent=spent, reserved=reserved, start=0, end=100)
    return Entry(verdict=Lead(lease="1"), budgets=(state,))


def test_each_worker_has_its_share_of_a_limit() -> None:
    """Rounded down, but never so low that no request fits."""
    assert local_ask(ASK, 3, Remembered(), 0, budgets=False).rates[0].limit == 33
    assert local_ask(ASK, 1000, Remembered(), 0, budgets=False).rates[0].limit == 1


def test_a_budget_is_shared_by_what_was_left_of_it() -> None:
    """When last told; what is reserved is not left, and a window that is over says nothing of the next."""
    remembered = Remembered()
    remembered.note(_told(spent=300, reserved=100))
    assert local_ask(ASK, 2, remembered, 50, budgets=True).budgets[0].limit == 300
    assert local_ask(ASK, 2, remembered, 100, budgets=True).budgets[0].limit == 500
    assert local_ask(ASK, 2, remembered, 50, budgets=False).budgets == ()


def test_answers_are_told_in_terms_of_the_limits_themselves() -> None:
    """Not of the shares."""
    here = local_ask(ASK, 4, Remembered(), 0, budgets=True)
    told = Entry(
        verdict=RateRefused(claim=here.rates[0], retry_after_s=3),
        rates=(RateState(claim=here.rates[0], remaining=0, reset_s=3),),
        budgets=(BudgetState(claim=here.budgets[0], spent=1, reserved=2, start=0, end=100),),
    )
    entry = as_asked(ASK, here, told)
    assert entry.verdict == RateRefused(claim=RATE, retry_after_s=3)
    assert entry.rates[0].claim == RATE
    assert entry.budgets[0].claim == BUDGET


def test_what_is_remembered_is_bounded() -> None:
    """What was told longest ago is forgotten first."""
    remembered = Remembered(2)
    for key in ("a", "b", "a", "c"):
        claim = RateClaim(policy="user", key=key, limit=1, window_s=1)
        state = RateState(claim=claim, remaining=1, reset_s=0)
        remembered.note(Entry(verdict=Lead(lease="1"), rates=(state,)))
    assert [state.claim.key for state in remembered.rates] == ["a", "c"]
