"""One share for all processes of an app: each decides by what all of them saw and owe together.

What each process decides it adds to a Tally in the background; in return it hears the others' scores, which join
its own window, and the debt of all. The debt also rides back on the Entry of each request, so a decision knows all
that was decided up to about a millisecond ago. Of what is in the air since, a process knows its own part, and takes
the others to be doing the same: a burst of hard requests at every worker at once is a burst at all of them.

Without a Tally, or when it cannot be asked, each process keeps its own share, with a debt of its own. What it owes
then it keeps to itself: the shares of all, each kept, are the share, and a debt that all would pay back at once
would be paid many times over. The scores it tells later.
"""

from __future__ import annotations

import asyncio
from collections import deque

from turnout.ports.runtime import Clock
from turnout.ports.sharing import SHARED_SCORES, ShareReport, ShareState, ShareStore
from turnout.routing.share_control import MOST_DEBT, ShareControl

# Between two tries to reach a Tally that could not be asked.
LOOK_S = 1.0
# How long closing waits for what is being told.
CLOSE_S = 1.0


class SharedShareControl(ShareControl):
    """One process' part of a share that several keep. Pure: who asks the Tally, and when, is Fleet's."""

    def __init__(self, share: float) -> None:
        super().__init__(share)
        # The debt of all as it was told last; None: this process keeps its own share.
        self._shared: float | None = None
        # Until it was told how many there are, this process takes care as if they were many.
        self._processes = round(MOST_DEBT)
        self._since = 0
        # Of our own decisions the Tally knows neither what is untold nor, for all we know, what is being told.
        self._untold = 0.0
        self._telling = 0.0
        self._scores: deque[float] = deque(maxlen=SHARED_SCORES)

    @property
    def debt(self) -> float:
        """How many calls of all processes were expensive beyond the share, the others' newest guessed at."""
        if self._shared is None:
            return self._debt
        return self._shared + (self._untold + self._telling) * min(self._processes, MOST_DEBT)

    @property
    def alone(self) -> bool:
        """Whether this process keeps its own share."""
        return self._shared is None

    @property
    def since(self) -> int:
        """The Tally's count as it was told last."""
        return self._since

    @property
    def untold(self) -> bool:
        """Whether there is anything to add."""
        return bool(self._scores)

    def observe(self, score: float, expensive: bool, pacing_factor: float = 1.0) -> None:
        super().observe(score, expensive, pacing_factor)
        self._scores.append(score)

    def _owe(self, debt: float) -> None:
        if self._shared is None:
            self._debt += debt
        else:
            self._untold += debt

    def tell(self) -> ShareReport:
        """What is to be added now. Its answer is for `hear`, or for `part` where there is none."""
        routed = ShareReport(scores=tuple(self._scores), debt=self._untold)
        self._scores.clear()
        self._untold, self._telling = 0.0, self._untold
        return routed

    def hear(self, state: ShareState) -> None:
        """The answer to what was told."""
        self._telling = 0.0
        self.join(state.debt)
        self._processes = state.processes
        if state.count < self._since:
            # It was lost: whoever comes next should find what we know. The seed may be in it, which is as likely.
            self._scores = deque([*self._recent, *self._scores], maxlen=SHARED_SCORES)
        self._since = state.count
        self.see(state.scores)

    def join(self, debt: float) -> None:
        """From now on it is the share of all that is kept, and this is what they owe."""
        self._shared = debt
        self._debt = 0.0

    def part(self) -> None:
        """From now on this process keeps its own share."""
        self._shared = None
        self._untold = self._telling = 0.0


class ShareSync:
    """Keeps a SharedKeeper in step with those of the other processes. name: of the share that they keep: those who
    score or share otherwise are not of them."""

    def __init__(self, *, keeper: SharedShareControl, share_store: ShareStore, name: str, clock: Clock) -> None:
        self.keeper = keeper
        self.name = name
        self._share_store = share_store
        self._clock = clock
        self._meeting: asyncio.Task[None] | None = None
        self._tried = -LOOK_S

    def note_debt(self, debt: float | None) -> None:
        """Takes in the share's debt, as the Entry of an Ask that named this share carries it; None: nobody knows it."""
        if debt is not None:
            self.keeper.join(debt)
        elif not self.keeper.alone:
            self.keeper.part()

    def routed(self) -> None:
        """Something was decided and observed: tells it soon, and waits for nothing. On the running loop."""
        if not self.keeper.alone or self._clock.monotonic() - self._tried >= LOOK_S:
            self._begun()

    def _begun(self) -> asyncio.Task[None]:
        meeting, loop = self._meeting, asyncio.get_running_loop()
        # One that began on a loop that is gone, or before a fork, never ends and tells nothing.
        if meeting is None or meeting.done() or meeting.get_loop() is not loop:
            meeting = self._meeting = loop.create_task(self._meet(), name="turnout.share_sync")
        return meeting

    async def meet(self) -> None:
        """Returns when the others were heard, or cannot be: a process that has just started learns from them."""
        await asyncio.wait({self._begun()})

    async def _meet(self) -> None:
        more = True
        while more:
            self._tried = self._clock.monotonic()
            state = None
            try:
                state = await self._share_store.add(self.name, self.keeper.tell(), self.keeper.since)
            finally:
                if state is None:
                    self.keeper.part()
                else:
                    self.keeper.hear(state)
            more = state is not None and self.keeper.untold

    async def close(self) -> None:
        """Waits a moment for what is being told."""
        meeting = self._meeting
        if meeting is not None and not meeting.done() and meeting.get_loop() is asyncio.get_running_loop():
            await asyncio.wait({meeting}, timeout=CLOSE_S)
            meeting.cancel()
            await asyncio.wait({meeting})
