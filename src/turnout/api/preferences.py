"""The `Prefer` header (RFC 7240): `respond-async` and `wait=SECONDS`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.numbers import parse_count

# The longest that one request is held open for a job.
LONGEST_WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Preferences:
    """respond_async: a 202 will do. wait_s: how long the caller will wait before it; None: it did not say."""

    respond_async: bool = False
    wait_s: int | None = None

    @property
    def applied(self) -> str:
        """The value of `Preference-Applied`."""
        parts = ["respond-async"] if self.respond_async else []
        return ", ".join([*parts, *([] if self.wait_s is None else [f"wait={self.wait_s}"])])


def parse_prefer(text: str) -> Preferences:
    """The preferences that this header names; of one named twice the first counts, as the RFC says. Those that are
    unknown or malformed are ignored."""
    respond_async, wait_s = False, None
    for part in text.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        name = name.strip().lower()
        if name == "respond-async":
            respond_async = True
        elif name == "wait" and wait_s is None:
            wait_s = parse_count(value.strip().strip('"'), LONGEST_WAIT_S)
    return Preferences(respond_async, wait_s)
