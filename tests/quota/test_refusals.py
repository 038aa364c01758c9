"""What a caller is told of a limit or a budget that refuses."""

from __future__ import annotations

from turnout.ports.limits import BudgetClaim, BudgetRefused
from turnout.quota.refusals import budget_exceeded


def test_a_budgets_amounts_stay_with_the_app() -> None:
    """The caller is told whose budget it is and when to come back; not how large it is."""
    claim = BudgetClaim(policy="total", key="total", limit=77_000_000_000)
    error = budget_exceeded(BudgetRefused(claim=claim, retry_after_s=30.0))
    assert "of this app" in error.message
    assert "77" not in error.message
    assert dict(error.told_headers) == {"retry-after": "30"}
