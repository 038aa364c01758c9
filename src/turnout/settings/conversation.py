"""`[routing.conversation]`: whether a conversation stays with its model, and what it is known by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from turnout.openai.requests import CARRIED, PARAMETERS
from turnout.settings.reader import require

# Ten years, as for every time in the settings.
_LONGEST_S = 315_360_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """sticky: a conversation's model is left only where leaving pays. ttl_s: since its last turn. fields: further body
    fields that name a conversation."""

    sticky: bool = True
    ttl_s: float = 3600.0  # the longest that a provider keeps a prompt cached on request
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(math.isfinite(self.ttl_s) and 0 < self.ttl_s <= _LONGEST_S, "ttl_s", self.ttl_s, "must be more than 0")
        for name in self.fields:
            taken = name in PARAMETERS or name in CARRIED or name in ("", "model", "messages", "stream", "turnout")
            require(not taken, "fields", name, "has a meaning of its own in a request; name another body field")
