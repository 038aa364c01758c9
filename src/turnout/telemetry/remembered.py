"""What need not be computed again: a table that is emptied when it is full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(dict[Key, Value], Generic[Key, Value]):
    """Computes the value of a key that it does not hold. most: how many it holds."""

    def __init__(self, compute: Callable[[Key], Value], most: int) -> None:
        super().__init__()
        self.compute = compute
        self._most = most

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._most:
            self.clear()
        value = self[key] = self.compute(key)
        return value
