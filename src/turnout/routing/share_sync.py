"""One share of expensive calls for all processes of an app, kept through a ShareStore.

Each process adds its decisions to the store in the background and gets back the other processes' scores, which join
its own window, and the debt of all. The debt also comes back on the Entry of each request, so a decision knows all
decisions up to about a millisecond ago. Of those made since, a process knows its own and assumes that each other
process makes as many: a burst of hard requests at one worker is usually a burst at all of them.

Without a store, or when it cannot be reached, each process keeps the share by itself, with a debt of its own. It does
not report that debt later: shares that are each kept make up the share, and a debt that every process paid back would
be paid many times over. Its scores it reports later.
"""

from __future__ import annotations

import asyncio
from collections import deque

from turnout.loop_task import LoopTask
from turnout.ports.runtime import Clock
from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState, ShareStore
from turnout.routing.share_control import MOST_DEBT, ShareControl

# Between two tries to reach a store that could not be reached.
RETRY_S = 1.0
# How long closing waits for a report that is under way.
CLOSE_S = 1.0


class SharedShareControl(ShareControl):
    """One process' part of a share that several keep. Pure: when the store is asked is ShareSync's."""

    def __init__(self, share: float) -> None:
        super().__init__(share)
        # The debt of all, as last received; None: this process keeps the share by itself.
        self._shared: float | None = None
        # Until the store says how many there are, this process is as careful as if they were many.
        self._processes = round(MOST_DEBT)
        self._since = 0
        # Debt of our own decisions that the store does not know yet, or may not know yet.
        self._unreported_debt = 0.0
        self._debt_in_transit = 0.0
        self._scores: deque[float] = deque(maxlen=SHARED_SCORES)

    @property
    def debt(self) -> float:
        """How many calls of all processes were expensive beyond the share, the others' newest guessed at."""
        if self._shared is None:
            return self._debt
        return self._shared + (self._unreported_debt + self._debt_in_transit) * min(self._processes, MOST_DEBT)

    @property
    def alone(self) -> bool:
        """Whether this process keeps its own share."""
        return self._shared is None

    @property
    def since(self) -> int:
        """The store's count of decisions, as last received."""
        return self._since

    @property
    def has_unreported(self) -> bool:
        """Whether there are scores to report."""
        return bool(self._scores)

    def observe(self, score: float, expensive: bool, pacing_factor: float = 1.0) -> None:
        super().observe(score, expensive, pacing_factor)
        self._scores.append(score)

    def _owe(self, debt: float) -> None:
        if self._shared is None:
            self._debt += debt
        else:
            self._unreported_debt += debt

    def take_report(self) -> ShareReport:
        """What to add to the store now. Its answer goes to `receive`; where none comes, call `leave`."""
        routed = ShareReport(scores=tuple(self._scores), debt=self._unreported_debt)
        self._scores.clear()
        self._unreported_debt, self._debt_in_transit = 0.0, self._unreported_debt
        return routed

    def receive(self, state: ShareState) -> None:
        """Takes in the store's answer to a report."""
        self._debt_in_transit = 0.0
        self.join(state.debt)
        self._processes = state.processes
        if state.count < self._since:
            # The store has lost it: the next process should find what we know, the seed's scores included.
            self._scores = deque([*self._recent, *self._scores], maxlen=SHARED_SCORES)
        self._since = state.count
        self.add_scores(state.scores)

    def join(self, debt: float) -> None:
        """Keeps the share together with the others from now on. debt: of all."""
        self._shared = debt
        self._debt = 0.0

    def leave(self) -> None:
        """Keeps the share by itself from now on."""
        self._shared = None
        self._unreported_debt = self._debt_in_transit = 0.0


class ShareSync:
    """Keeps a SharedShareControl in step with the other processes'. name: of the share that they keep; processes of
    another scorer or another share have another name."""

    def __init__(self, *, control: SharedShareControl, share_store: ShareStore, name: str, clock: Clock) -> None:
        self.control = control
        self.name = name
        self._share_store = share_store
        self._clock = clock
        self._syncing = LoopTask(self._sync, "turnout.share_sync")
        self._tried = -RETRY_S

    def note_debt(self, debt: float | None) -> None:
        """Takes in the share's debt, as the Entry of an Ask that named this share carries it; None: nobody knows it."""
        if debt is not None:
            self.control.join(debt)
        elif not self.control.alone:
            self.control.leave()

    def notify(self) -> None:
        """Reports a decision that was just observed: soon, on the running loop, without waiting for it."""
        if not self.control.alone or self._clock.monotonic() - self._tried >= RETRY_S:
            self._syncing.start()

    async def meet(self) -> None:
        """Returns once the others' scores are here or cannot be had: a process just started learns from them."""
        await asyncio.wait({self._syncing.start()})

    async def _sync(self) -> None:
        more = True
        while more:
            self._tried = self._clock.monotonic()
            state = None
            try:
                state = await self._share_store.add(self.name, self.control.take_report(), self.control.since)
            finally:
                if state is None:
                    self.control.leave()
                else:
                    self.control.receive(state)
            more = state is not None and self.control.has_unreported

    async def close(self) -> None:
        """Waits a moment for a report that is under way."""
        await self._syncing.stop(patience_s=CLOSE_S)
