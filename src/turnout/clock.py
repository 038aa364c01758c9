"""The system's clock, as the Clock port wants it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Any


class SystemClock:
    """Implements Clock by the machine's time and asyncio's timers."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout_at(self, when: float | None) -> AbstractAsyncContextManager[Any]:
        # The loop's own time may have another origin (uvloop's has).
        return asyncio.timeout(None if when is None else when - time.monotonic())
