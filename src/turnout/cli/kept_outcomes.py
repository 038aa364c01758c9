"""What became of each request that a command makes: its outcome, kept until the command takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.ports.runtime import ProviderCall
from turnout.records import Attempt, Outcome, ServedTier
from turnout.telemetry.names import EVENT_STORE_LOST


class KeptOutcomes:
    """Implements the Observer port. store_lost: why the store could not be asked, once that was; ""."""

    def __init__(self) -> None:
        self._expected: set[str] = set()
        self._ended: dict[str, Outcome] = {}
        self.store_lost = ""

    def expect(self, request_id: str) -> None:
        """Keeps this request's outcome; one that comes after it was taken is nobody's."""
        self._expected.add(request_id)

    def take(self, request_id: str) -> Outcome | None:
        """The outcome, once; None where there is none yet."""
        self._expected.discard(request_id)
        return self._ended.pop(request_id, None)

    def request_started(self, request_id: str) -> None:
        return None

    def request_ended(self, token: None, outcome: Outcome) -> None:
        if outcome.request_id in self._expected:
            self._ended[outcome.request_id] = outcome

    def attempt_started(self, token: None, call: ProviderCall, *, tier: ServedTier, stream: bool) -> None:
        return None

    def attempt_ended(self, token: None, attempt: Attempt) -> None:
        return None

    def event(self, token: None, name: str, attributes: Mapping[str, Any]) -> None:
        if name == EVENT_STORE_LOST:
            self.store_lost = ", ".join(map(str, attributes.values())) or "it does not answer"
