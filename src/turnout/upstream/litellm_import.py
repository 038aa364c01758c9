"""Imports litellm once, off the event loop, with what it does unasked switched off first.

The import takes 2 to 8 s and, unless told otherwise, fetches a price table over the network.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from types import ModuleType
from typing import Any

from turnout.upstream.quiet import Quieted, quieted, rehearse

log = logging.getLogger("turnout.upstream")

_lock = threading.Lock()
_module: ModuleType | None = None
_quiet: Quieted | None = None


def load() -> ModuleType:
    """litellm, imported, quiet and rehearsed. Blocks for as long as that takes; at once when it is there."""
    global _module
    if _module is None:
        with _lock:
            if _module is None:
                _module = _import()
    return _module


def start() -> None:
    """Begins the import in a daemon thread, so that the first request need not wait for all of it."""
    if _module is None:
        threading.Thread(target=load, name="turnout.import-litellm", daemon=True).start()


def loaded() -> bool:
    return _module is not None


def quiet(model: str, messages: list[dict[str, Any]], stream: bool) -> dict[str, Any]:
    """Further arguments for one `acompletion`, which spare it what nobody asked for."""
    return {} if _quiet is None else _quiet(model, messages, stream)


def _import() -> ModuleType:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    # It prints help texts at each error otherwise.
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    # Rebuilding every stream's whole answer for callbacks that nobody registered.
    litellm.disable_streaming_logging = True
    # In a thread of its own: whoever loads may be running a loop.
    rehearsing = threading.Thread(target=_rehearse, args=(litellm,), name="turnout.rehearse")
    rehearsing.start()
    rehearsing.join()
    # litellm is 370,000 objects that stay for good: each full collection would walk them all, and every request
    # would wait 200 ms for it.
    gc.collect()
    gc.freeze()
    return litellm


def _rehearse(litellm: ModuleType) -> None:
    global _quiet
    try:
        made = quieted(litellm)
        asyncio.run(rehearse(litellm, made))
        _quiet = made
    except Exception as error:
        # Another litellm than those tried: slower, but as right as before.
        log.warning("litellm cannot be quieted, each call costs about a half more CPU: %s: %s", type(error), error)
