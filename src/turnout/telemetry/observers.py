"""Several observers as one: each is told everything, with its own token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.ports.runtime import Observer, ProviderCall
from turnout.records import Attempt, Outcome, Tier


class Observers:
    """Implements the Observer port over others, told in order at a beginning, in reverse at an end: what one
    makes current around an attempt, as a span does, is undone innermost first."""

    def __init__(self, *observers: Observer) -> None:
        self._all = observers

    def request_started(self, request_id: str) -> tuple[Any, ...]:
        return tuple(each.request_started(request_id) for each in self._all)

    def request_ended(self, token: tuple[Any, ...], outcome: Outcome) -> None:
        for each, own in zip(reversed(self._all), reversed(token), strict=True):
            each.request_ended(own, outcome)

    def attempt_started(
        self, token: tuple[Any, ...] | None, call: ProviderCall, *, tier: Tier, stream: bool
    ) -> tuple[Any, ...]:
        return tuple(
            each.attempt_started(own, call, tier=tier, stream=stream)
            for each, own in zip(self._all, self._tokens(token), strict=True)
        )

    def attempt_ended(self, token: tuple[Any, ...], attempt: Attempt) -> None:
        for each, own in zip(reversed(self._all), reversed(token), strict=True):
            each.attempt_ended(own, attempt)

    def event(
        self, token: tuple[Any, ...] | None, name: str, attributes: Mapping[str, str | int | float | bool]
    ) -> None:
        for each, own in zip(self._all, self._tokens(token), strict=True):
            each.event(own, name, attributes)

    def _tokens(self, token: tuple[Any, ...] | None) -> tuple[Any, ...]:
        return token if token is not None else (None,) * len(self._all)
