"""The Tally of one process: for several Turnouts in it, and for tests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState


@dataclass(slots=True)
class _Kept:
    debt: float = 0.0
    count: int = 0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SHARED_SCORES))


class MemoryShareStore:
    """processes: how many are told to use it."""

    def __init__(self, *, processes: int = 1) -> None:
        self._processes = processes
        self._kept: dict[str, _Kept] = {}

    def debt(self, name: str) -> float:
        """What an Entry would tell."""
        return self._kept[name].debt if name in self._kept else 0.0

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        kept = self._kept.setdefault(name, _Kept())
        new = kept.count - since if since <= kept.count else kept.count
        others = tuple(kept.scores)[max(0, len(kept.scores) - new) :]
        scores = routed.scores[-SHARED_SCORES:]
        kept.scores.extend(scores)
        kept.count += len(scores)
        kept.debt += routed.debt
        return ShareState(debt=kept.debt, count=kept.count, scores=others, processes=self._processes)
