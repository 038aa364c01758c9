"""Several observers as one: each with its own tokens, innermost ended first."""

from __future__ import annotations

from typing import Any

from turnout.ports.runtime import ProviderCall
from turnout.telemetry.observers import Observers


class _RecordingObserver:
    def __init__(self, name: str, notes: list[tuple[str, str, Any]]) -> None:
        self.name, self.notes = name, notes

    def request_started(self, request_id: str) -> str:
        self.notes.append((self.name, "started", request_id))
        return f"{self.name}-request"

    def request_ended(self, token: Any, outcome: Any) -> None:
        self.notes.append((self.name, "ended", token))

    def attempt_started(self, token: Any, call: Any, *, tier: Any, stream: bool) -> str:
        self.notes.append((self.name, "attempt", token))
        return f"{self.name}-attempt"

    def attempt_ended(self, token: Any, attempt: Any) -> None:
        self.notes.append((self.name, "attempt ended", token))

    def event(self, token: Any, name: str, attributes: Any) -> None:
        self.notes.append((self.name, name, token))


def test_each_gets_every_call_with_its_own_token() -> None:
    """In order at a start, in reverse at an end; no token is everybody's none."""
    notes: list[tuple[str, str, Any]] = []
    both = Observers(_RecordingObserver("a", notes), _RecordingObserver("b", notes))
    request = both.request_started("r1")
    attempt = both.attempt_started(request, ProviderCall(model="m", messages=()), tier="cheap", stream=False)
    both.event(request, "noted", {})
    both.event(None, "alone", {})
    both.attempt_ended(attempt, None)  # type: ignore[arg-type]
    both.request_ended(request, None)  # type: ignore[arg-type]
    assert notes == [
        ("a", "started", "r1"),
        ("b", "started", "r1"),
        ("a", "attempt", "a-request"),
        ("b", "attempt", "b-request"),
        ("a", "noted", "a-request"),
        ("b", "noted", "b-request"),
        ("a", "alone", None),
        ("b", "alone", None),
        ("b", "attempt ended", "b-attempt"),
        ("a", "attempt ended", "a-attempt"),
        ("b", "ended", "b-request"),
        ("a", "ended", "a-request"),
    ]
