"""A running Turnout tells once that its traffic has left the logs: in its log and to its observer."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from turnout import Turnout
from turnout.routing.drift import WINDOW
from turnout.telemetry import names
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider

CONFIG: dict[str, Any] = {
    "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
    "routing": {"threshold": 0.5},
    "cache": {"enabled": False},
}


class _Events:
    """An Observer that keeps events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def request_started(self, request_id: str) -> None: ...
    def request_ended(self, token: Any, outcome: Any) -> None: ...
    def attempt_started(self, token: Any, call: Any, *, tier: Any, stream: bool) -> None: ...
    def attempt_ended(self, token: Any, attempt: Any) -> None: ...

    def event(self, token: Any, name: str, attributes: Any) -> None:
        self.events.append((name, dict(attributes)))


def _asked(scorer: FixedScorer, count: int) -> tuple[Turnout, _Events]:
    observer = _Events()
    turnout = Turnout(CONFIG, provider=ScriptedProvider(), scorer=scorer, clock=ManualClock(), observer=observer)

    async def ask() -> None:
        for number in range(count):
            # Asking where it would go is not traffic.
            await turnout.decide("x")
            await turnout.complete(str(number))

    asyncio.run(ask())
    return turnout, observer


def test_a_drift_is_told_once_with_its_figure(caplog: pytest.LogCaptureFixture) -> None:
    """Six hundred equal scores: one warning that says what to do, one event."""
    with caplog.at_level(logging.WARNING, "turnout"):
        turnout, observer = _asked(FixedScorer(0.3), WINDOW + 100)
    messages = [record.getMessage() for record in caplog.records if "left the scorer's training logs" in record.message]
    assert len(messages) == 1
    assert "turnout label, turnout train" in messages[0]
    crossings = [messages for name, messages in observer.events if name == names.EVENT_DRIFT]
    assert len(crossings) == 1
    assert crossings[0][names.DRIFTED] is True
    assert crossings[0][names.DRIFT_DISTANCE] == pytest.approx(0.7, abs=0.021)
    measured = [messages for name, messages in observer.events if name == names.EVENT_DRIFT_MEASURED]
    assert len(measured) == 5
    assert turnout.drift is not None
    assert measured[-1] == {names.DRIFT_DISTANCE: turnout.drift.distance, names.NOVEL_SHARE: 0.0}
    assert turnout.drift.distance == pytest.approx(0.7, abs=0.021)


def test_too_few_requests_or_the_default_scorer_tell_nothing() -> None:
    """Its scores are uniform on no traffic, so a drift of it would be noise."""
    assert _asked(FixedScorer(0.3), 100)[1].events == []
    turnout, observer = _asked(FixedScorer(0.3, is_default=True), WINDOW + 50)
    assert observer.events == []
    assert turnout.drift is None
