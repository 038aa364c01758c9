"""When a job or a webhook is tried again."""

from __future__ import annotations

from turnout.jobs.retries import CAP_S, LONGEST_WAIT_S, MAX_ATTEMPTS, after_failure, for_room, webhook_delay


def test_a_failure_waits_longer_each_time_up_to_a_cap_and_then_ends() -> None:
    """Doubled, jittered downwards, never above the cap; the provider's own word counts up to it."""
    delays = [after_failure(attempts, None, 0.999) for attempts in range(MAX_ATTEMPTS)]
    assert delays[-1] is None
    waits = [later.after_s for later in delays[:-1] if later is not None]
    assert waits == sorted(waits)
    assert max(waits) <= CAP_S
    asked = after_failure(0, 7.0, 0.5)
    assert asked is not None
    assert (asked.after_s, asked.failed) == (7.0, True)


def test_a_full_limit_is_looked_at_again_before_long() -> None:
    """Whatever the window's end is; it is no attempt."""
    later = for_room(86_400.0)
    assert (later.after_s, later.failed, later.lane) == (LONGEST_WAIT_S, False, True)
    assert for_room(None).after_s > 0


def test_a_webhook_is_given_up_after_its_last_delay() -> None:
    """Each try later than the one before."""
    delays = [webhook_delay(tries, 0.5) for tries in range(1, 7)]
    assert delays[-1] is None
    waits = [delay for delay in delays if delay is not None]
    assert waits == sorted(waits)
