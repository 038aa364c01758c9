"""The fault matrix, in part: what benchmarks/fault_matrix.py publishes must hold. The whole takes four minutes."""

from __future__ import annotations

import pytest

from tests.support.faults import process_faults, provider_faults, redis_faults


@pytest.mark.parametrize("fault", ["Redis killed", "Redis read-only"])
def test_a_fault_of_redis_costs_no_wrong_answer_and_no_money(fault: str) -> None:
    """Answered or refused in good order; no budget passed; used again within seconds."""
    row, wrong = redis_faults.measure(fault)
    assert (row.misses, wrong) == ([], [])
    assert row.answered > row.asked / 4


@pytest.mark.parametrize(
    "fault",
    [
        *("a provider hangs", "a provider sends garbage"),
        *("a provider is cut off, other protocols", "a provider drips, other protocols"),
        *("a provider hangs, a cascade's cheap tier", "a provider is cut off, a cascade's expensive tier"),
    ],
)
def test_a_fault_of_a_provider_is_answered_by_the_next(fault: str) -> None:
    """And what the sick one cost is within the budgets."""
    row, wrong = provider_faults.measure(fault)
    assert (row.misses, wrong) == ([], [])
    assert row.answered > row.asked / 4


@pytest.mark.parametrize("fault", ["a provider hangs, embeddings", "a provider sends garbage, embeddings"])
def test_a_fault_of_the_model_for_vectors_is_refused_in_good_order(fault: str) -> None:
    """No other model gives its vectors: none is wrong, no budget is passed, and it is asked again within seconds."""
    row, wrong = provider_faults.measure(fault)
    assert (row.misses, wrong) == ([], [])
    assert row.answered > row.asked / 6


@pytest.mark.parametrize("fault", ["SIGTERM with streams under way", "the log's disk is full"])
def test_a_fault_of_a_process_or_the_disk_costs_no_answer(fault: str) -> None:
    """Streams end in good order, requests are answered without their log line."""
    row, wrong = process_faults.measure(fault)
    assert (row.misses, wrong) == ([], [])
