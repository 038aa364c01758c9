"""Back-off: bounded, jittered, and a provider's word honoured in full or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.settings import Retry
from turnout.upstream.retry_policy import backoff, pause

RETRY = Retry(attempts=3, base_s=0.2, cap_s=5.0)
CHANCE = st.floats(0, 1, exclude_max=True)


@given(tried=st.integers(1, 10_000), chance=CHANCE)
def test_a_wait_is_within_the_cap(tried: int, chance: float) -> None:
    """Never negative, never above the cap, whatever the count."""
    assert 0 <= backoff(RETRY, tried, chance) <= RETRY.cap_s


@given(tried=st.integers(1, 2), chance=CHANCE, after=st.floats(0, 60), left=st.floats(0, 60))
def test_retry_after_is_honoured_in_full_or_not_at_all(tried: int, chance: float, after: float, left: float) -> None:
    """A wait is at least what the provider asked for, and ends before the deadline."""
    wait = pause(RETRY, tried, chance, after, left)
    if wait is not None:
        assert after <= wait < left
        assert wait <= RETRY.cap_s


def test_attempts_are_counted() -> None:
    """After the last one nothing is waited for."""
    assert pause(RETRY, 3, 0.5, None, 60) is None
    assert pause(RETRY, 2, 0.5, None, 60) == 0.2
