"""`[routing.conversation]`: whether a conversation stays with its model, and what it is known by."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.openai.requests import CARRIED, PARAMETERS
from turnout.settings.bounds import check_positive
from turnout.settings.reader import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """sticky: a conversation's model is left only where leaving pays. ttl_s: since its last turn. fields: further body
    fields that name a conversation."""

    sticky: bool = True
    ttl_s: float = 3600.0  # the longest that a provider keeps a prompt cached on request
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_positive(self, "ttl_s")
        for name in self.fields:
            taken = name in PARAMETERS or name in CARRIED or name in ("", "model", "messages", "stream", "turnout")
            require(not taken, "fields", name, "has a meaning of its own in a request; name another body field")
