"""Pins of conversations in the process's own memory, bounded by number."""

from __future__ import annotations

from collections import OrderedDict

from turnout.ports.admission import PinUpdate, StoredPin

# About 40 MB at most.
MOST_PINS = 100_000


class MemoryPins:
    """Evicts the pin that was written the longest ago. Getting and putting one is O(1). Times in seconds."""

    def __init__(self, most: int = MOST_PINS) -> None:
        self._most = most
        # Key to what was written and when.
        self._pins: OrderedDict[str, tuple[PinUpdate, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    def get(self, key: str, now: float) -> StoredPin | None:
        pin, written = self._pins.get(key, (None, 0.0))
        if pin is None:
            return None
        if now - written >= pin.ttl_s:
            del self._pins[key]
            return None
        return StoredPin(packed=pin.packed, age_s=now - written)

    def put(self, pin: PinUpdate, now: float) -> None:
        self._pins[pin.key] = (pin, now)
        self._pins.move_to_end(pin.key)
        if len(self._pins) > self._most:
            self._pins.popitem(last=False)

    def purge(self, user: str | None) -> None:
        """Deletes this user's, or all of them."""
        for key in [key for key, (pin, _) in self._pins.items() if user is None or pin.user == user]:
            del self._pins[key]
