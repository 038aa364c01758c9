"""The retry budget: never more than the share, whatever the traffic; a quiet app can still try again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.upstream.retry_policy import FLOOR, WINDOW_S, Recent, counted, may_retry, since


@given(
    share=st.floats(0.01, 1.0),
    steps=st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200),
)
def test_granted_retries_stay_within_the_share(share: float, steps: list[tuple[float, bool]]) -> None:
    """At every grant, of the calls of the window at most the share are retries, or no more than the floor."""
    recent, now = Recent(), 0.0
    log: list[tuple[int, bool]] = []
    for passed, wants_retry in steps:
        now += passed
        if wants_retry and not may_retry(recent, now, share):
            continue
        recent = counted(recent, now, retry=wants_retry)
        log.append((int(now), wants_retry))
        window = [retry for second, retry in log if second > int(now) - WINDOW_S]
        assert (recent.calls, recent.retries) == (len(window), sum(window))
        if wants_retry:
            assert sum(window) <= max(FLOOR, share * len(window))


def test_an_outage_is_not_amplified() -> None:
    """A thousand failing calls, each of which would be tried twice more: a fifth of all calls are retries."""
    recent = Recent()
    for call in range(1000):
        now = call / 1000
        recent = counted(recent, now, retry=False)
        for _ in range(2):
            if may_retry(recent, now, 0.2):
                recent = counted(recent, now, retry=True)
    assert 240 <= recent.retries <= 250
    assert recent.calls == 1000 + recent.retries


def test_a_quiet_app_can_try_again_and_a_budget_of_nothing_allows_nothing() -> None:
    """The floor holds where there are no calls to take a share of."""
    assert may_retry(Recent(), 0.0, 0.2)
    assert not may_retry(Recent(), 0.0, 0.0)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """So that the record stays small and an old storm allows no new one."""
    recent = Recent()
    for second in range(100):
        recent = counted(recent, float(second), retry=True)
    assert len(recent.seconds) == WINDOW_S
    assert since(recent, 1000.0) == Recent()
