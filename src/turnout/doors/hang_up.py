"""Ends what a request waits for when its client hangs up, which each door notices in its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from turnout.errors import CallerGone


@asynccontextmanager
async def while_connected(disconnected: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Cancels what the block waits for when `disconnected` returns, and raises CallerGone then."""
    working = asyncio.current_task()
    assert working is not None
    state = {"inside": True, "gone": False}

    def cancel(_: object) -> None:
        if state["inside"]:
            state["gone"] = working.cancel()

    leaving = asyncio.ensure_future(disconnected)
    leaving.add_done_callback(cancel)
    try:
        yield
    except asyncio.CancelledError:
        # Of two who cancel, the other is the one to be obeyed.
        if not state["gone"] or working.uncancel() > 0:
            raise
        state["gone"] = False
        raise CallerGone from None
    finally:
        state["inside"] = False
        if state["gone"]:
            working.uncancel()
        leaving.cancel()
        await asyncio.wait({leaving})
