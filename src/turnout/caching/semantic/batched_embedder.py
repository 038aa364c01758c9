"""Texts that come within a moment, embedded by one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from turnout.caching.semantic.embedders import packed
from turnout.loop_task import BackgroundTasks
from turnout.ports.runtime import Clock

# How long the first text waits for others, and how many make a call: what every provider takes.
WINDOW_S, MOST_OF_A_BATCH = 0.005, 64

Waiting = dict[str, asyncio.Future[bytes]]


class BatchedEmbedder:
    """Implements Embedder over `ask`, which gives each of some texts its vector, in their order, or raises ServedError.

    A text that comes twice in one moment is sent once. Who leaves takes nobody along.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._waiting: Waiting = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls = BackgroundTasks("turnout.semantic.embed")

    async def embed(self, text: str) -> bytes:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._waiting = loop, {}
        future = self._waiting.get(text)
        if future is None:
            future = self._waiting[text] = loop.create_future()
            if len(self._waiting) == MOST_OF_A_BATCH:
                self._calls.start(self._embed_all(self._take()))
            elif len(self._waiting) == 1:
                self._calls.start(self._embed_soon())
        return await asyncio.shield(future)

    async def _embed_soon(self) -> None:
        await self._clock.sleep(WINDOW_S)
        # None are left where so many came that they were taken before.
        if self._waiting:
            await self._embed_all(self._take())

    def _take(self) -> Waiting:
        batch, self._waiting = self._waiting, {}
        return batch

    async def _embed_all(self, batch: Waiting) -> None:
        try:
            vectors = await self._ask(list(batch))
            if len(vectors) != len(batch):
                raise ValueError(f"{len(vectors)} vectors for {len(batch)} texts")
        except Exception as error:
            # Whatever it is, those who wait are told at once.
            for future in batch.values():
                _fail(future, error)
            return
        for future, vector in zip(batch.values(), vectors, strict=True):
            try:
                future.set_result(packed(vector))
            except ValueError as error:
                _fail(future, error)


def _fail(future: asyncio.Future[bytes], error: Exception) -> None:
    future.set_exception(error)
    # Read here, so that nothing is said where whoever asked has left.
    future.exception()
