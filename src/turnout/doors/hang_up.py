"""Ends what a request waits for when its client hangs up, which each door notices in its own way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from turnout.errors import CallerGone

log = logging.getLogger("turnout")


@asynccontextmanager
async def while_connected(disconnected: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Cancels what the block waits for when `disconnected` returns, and raises CallerGone then. That it raises, be it
    CancelledError, is no hang-up: where nothing is left to read, a middleware outside may do so."""
    working = asyncio.current_task()
    assert working is not None
    state = {"inside": True, "gone": False}

    def cancel(watching: asyncio.Future[None]) -> None:
        error = None if watching.cancelled() else watching.exception()
        if state["inside"] and (error or watching.cancelled()):
            log.info("turnout: receive() raised after the body's end; a hang-up goes unnoticed", exc_info=error)
        elif state["inside"]:
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
