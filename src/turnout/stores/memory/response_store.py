"""The responses that can be asked for again and continued, in this process: bounded, and gone after their lifetime."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout.ports.runtime import Clock

MOST_BYTES = 64 * 1024 * 1024
# What an entry weighs beside its bytes.
_ENTRY_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """owner: the key of the user who asked. body: the Response as JSON. messages: the chat so far, answer included."""

    owner: str
    body: bytes
    messages: Sequence[Mapping[str, Any]]


class ResponseStore:
    """Keeps responses for `ttl_s` seconds and within `most_bytes`; the oldest go first."""

    def __init__(self, clock: Clock, ttl_s: float, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._most_bytes = most_bytes
        # In the order in which they end.
        self._kept: OrderedDict[str, tuple[float, int, KeptResponse]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, response_id: str, response: KeptResponse) -> None:
        """Keeps a new response."""
        size = _ENTRY_BYTES + len(response.body) + sum(map(_size, response.messages))
        self._kept[response_id] = (self._clock.monotonic() + self._ttl_s, size, response)
        self._bytes += size
        while self._kept and (self._bytes > self._most_bytes or self._is_over(next(iter(self._kept.values())))):
            self.drop(next(iter(self._kept)))

    def get(self, response_id: str) -> KeptResponse | None:
        """The response; None where it is not kept."""
        entry = self._kept.get(response_id)
        if entry is None or self._is_over(entry):
            return None
        return entry[2]

    def drop(self, response_id: str) -> None:
        """Forgets the response."""
        if (entry := self._kept.pop(response_id, None)) is not None:
            self._bytes -= entry[1]

    def forget(self, owner: str) -> None:
        """Forgets all that this user asked."""
        for response_id in [name for name, entry in self._kept.items() if entry[2].owner == owner]:
            self.drop(response_id)

    def _is_over(self, entry: tuple[float, int, KeptResponse]) -> bool:
        return entry[0] <= self._clock.monotonic()


def _size(value: Any) -> int:
    """About how many bytes the value holds, whatever it is nested in."""
    if isinstance(value, str):
        return 64 + len(value)
    if isinstance(value, Mapping):
        return 64 + sum(map(_size, value)) + sum(map(_size, value.values()))
    return 64 + sum(map(_size, value)) if isinstance(value, list | tuple) else 64
