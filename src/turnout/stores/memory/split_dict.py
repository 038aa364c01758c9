"""Dicts of 100,000 entries that never hold the event loop: one dict alone takes 5 to 30 ms when it grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# A prime: a dict places a key by the low bits of its hash, which those of one part would else have in common.
_PARTS = 251


class SplitDict(Generic[K, V]):
    """A dict in parts by its keys' hashes, each of which grows by itself."""

    def __init__(self) -> None:
        self.parts: list[dict[K, V]] = [{}]
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: K) -> bool:
        return key in self._part(key)

    def __getitem__(self, key: K) -> V:
        return self._part(key)[key]

    def __setitem__(self, key: K, value: V) -> None:
        part = self._part(key)
        self._size += key not in part
        part[key] = value
        if len(self.parts) == 1 and self._size > _PARTS:
            self._split()

    def get(self, key: K) -> V | None:
        return self._part(key).get(key)

    def pop(self, key: K) -> V | None:
        """Removes the key. Returns its value; None where there was none."""
        value = self._part(key).pop(key, None)
        self._size -= value is not None
        return value

    def _part(self, key: K) -> dict[K, V]:
        return self.parts[hash(key) % len(self.parts)]

    def _split(self) -> None:
        """Most scopes are small, and one dict does."""
        (whole,) = self.parts
        self.parts = [{} for _ in range(_PARTS)]
        for key, value in whole.items():
            self._part(key)[key] = value


class AgedKeys(Generic[K]):
    """Keys in the order in which they were added. Made of nothing that the garbage collector has to look at."""

    def __init__(self) -> None:
        self._older: SplitDict[K, K] = SplitDict()
        self._newer: SplitDict[K, K] = SplitDict()
        self._oldest: K | None = None
        self._newest: K | None = None

    def __bool__(self) -> bool:
        return self._oldest is not None

    def __len__(self) -> int:
        return len(self._older) + bool(self)

    def __iter__(self) -> Iterator[K]:
        """The oldest first. None may be removed meanwhile."""
        key = self._oldest
        while key is not None:
            yield key
            key = self._newer.get(key)

    def add(self, key: K) -> None:
        """As the newest. key: one that is not here."""
        if self._newest is None:
            self._oldest = key
        else:
            self._older[key], self._newer[self._newest] = self._newest, key
        self._newest = key

    def remove(self, key: K) -> None:
        """key: one that is here."""
        older, newer = self._older.pop(key), self._newer.pop(key)
        if older is None:
            self._oldest = newer
        elif newer is None:
            self._newer.pop(older)
        else:
            self._newer[older] = newer
        if newer is None:
            self._newest = older
        elif older is None:
            self._older.pop(newer)
        else:
            self._older[newer] = older
