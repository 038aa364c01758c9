"""Which endpoints have series of their own: a path that a caller invents must not make one more of each."""

from __future__ import annotations

from collections.abc import Iterable

from turnout.telemetry.series import OTHER

# Endpoints that have series of their own, the settings' first.
MOST_ENDPOINTS = 50
LONGEST_LABEL = 100


class EndpointLabels:
    """Gives each endpoint its label; `other` beyond the first MOST_ENDPOINTS. named: the settings' own."""

    def __init__(self, named: Iterable[str]) -> None:
        self._known = {*list(named)[:MOST_ENDPOINTS], ""}

    def of(self, endpoint: str) -> str:
        """The label of this endpoint."""
        if endpoint in self._known:
            return endpoint
        if len(self._known) > MOST_ENDPOINTS or len(endpoint) > LONGEST_LABEL or not endpoint.isprintable():
            return OTHER
        self._known.add(endpoint)
        return endpoint
