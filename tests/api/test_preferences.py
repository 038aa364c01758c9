"""The `Prefer` header."""

from __future__ import annotations

import pytest

from turnout.api.preferences import LONGEST_WAIT_S, Preferences, parse_prefer


@pytest.mark.parametrize(
    ("text", "preferences", "applied"),
    [
        ("", Preferences(), ""),
        ("respond-async", Preferences(True), "respond-async"),
        ("Respond-Async, wait=10", Preferences(True, 10), "respond-async, wait=10"),
        ('wait="5"; foo=bar, handling=lenient', Preferences(False, 5), "wait=5"),
        ("respond-async, wait=x, wait=-1", Preferences(True), "respond-async"),
        ("wait=1, wait=2", Preferences(False, 1), "wait=1"),
        ("wait=99999999999999999999999", Preferences(False, LONGEST_WAIT_S), f"wait={LONGEST_WAIT_S}"),
    ],
)
def test_preferences_are_read_as_the_rfc_says(text: str, preferences: Preferences, applied: str) -> None:
    """Case-insensitive, the first of two counts, the unknown and the malformed ignored, the wait bounded."""
    assert parse_prefer(text) == preferences
    assert preferences.applied == applied
