"""In place of usearch's graph: the same calls, and each vector is compared. The graph may miss one that has the place
of a removed one, so a test of what Turnout does around it takes this."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class ExactIndex:
    """What Turnout calls of `usearch.index.Index`."""

    def __init__(self, **options: Any) -> None:
        self._vectors: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    def add(self, label: int, vector: Any, threads: int) -> None:
        self._vectors[label] = vector

    def remove(self, label: int, threads: int) -> None:
        del self._vectors[label]

    def search(self, vector: Any, count: int, threads: int) -> Any:
        similarities = {label: float(each @ vector) for label, each in self._vectors.items()}
        nearest = sorted(similarities, key=lambda label: -similarities[label])
        return SimpleNamespace(keys=np.array(nearest[:count], dtype=np.uint64))
