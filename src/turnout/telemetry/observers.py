"""Several observers as one: each gets every call, with its own token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.ports.runtime import Observer, ProviderCall
from turnout.records import Attempt, Outcome, ServedTier


class Observers:
    """Implements the Observer port over others, called in order at a start, in reverse at an end: what one
    makes current around an attempt, as a span does, is undone innermost first."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def request_started(self, request_id: str) -> tuple[Any, ...]:
        return tuple(observer.request_started(request_id) for observer in self._observers)

    def request_ended(self, token: tuple[Any, ...], outcome: Outcome) -> None:
        for observer, own_token in zip(reversed(self._observers), reversed(token), strict=True):
            observer.request_ended(own_token, outcome)

    def attempt_started(
        self, token: tuple[Any, ...] | None, call: ProviderCall, *, tier: ServedTier, stream: bool
    ) -> tuple[Any, ...]:
        return tuple(
            observer.attempt_started(own_token, call, tier=tier, stream=stream)
            for observer, own_token in zip(self._observers, self._tokens(token), strict=True)
        )

    def attempt_ended(self, token: tuple[Any, ...], attempt: Attempt) -> None:
        for observer, own_token in zip(reversed(self._observers), reversed(token), strict=True):
            observer.attempt_ended(own_token, attempt)

    def event(
        self, token: tuple[Any, ...] | None, name: str, attributes: Mapping[str, str | int | float | bool]
    ) -> None:
        for observer, own_token in zip(self._observers, self._tokens(token), strict=True):
            observer.event(own_token, name, attributes)

    def _tokens(self, token: tuple[Any, ...] | None) -> tuple[Any, ...]:
        return token if token is not None else (None,) * len(self._observers)
