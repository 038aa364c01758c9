"""The ShareStore of one process: for several Turnouts in it, and for tests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState


@dataclass(slots=True)
class _Share:
    debt: float = 0.0
    count: int = 0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SHARED_SCORES))


class MemoryShareStore:
    """processes: how many it reports to use it."""

    def __init__(self, *, processes: int = 1) -> None:
        self._processes = processes
        self._shares: dict[str, _Share] = {}

    def debt(self, name: str) -> float:
        """Returns what an Entry would carry."""
        return self._shares[name].debt if name in self._shares else 0.0

    async def add(self, name: str, routed: ShareReport, since: int) -> ShareState | None:
        share = self._shares.setdefault(name, _Share())
        new = share.count - since if since <= share.count else share.count
        others = tuple(share.scores)[max(0, len(share.scores) - new) :]
        scores = routed.scores[-SHARED_SCORES:]
        share.scores.extend(scores)
        share.count += len(scores)
        share.debt += routed.debt
        return ShareState(debt=share.debt, count=share.count, scores=others, processes=self._processes)
