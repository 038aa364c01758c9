"""Imports litellm once, off the event loop, with what it does unasked switched off first.

The import takes 3 to 8 s and, unless told otherwise, fetches a price table over the network.
"""

from __future__ import annotations

import os
import threading
from types import ModuleType

_lock = threading.Lock()
_module: ModuleType | None = None


def load() -> ModuleType:
    """litellm, imported and quiet. Blocks for as long as that takes; at once when it is there."""
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


def _import() -> ModuleType:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    # It prints help texts at each error otherwise.
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    # Rebuilding every stream's whole answer for callbacks that nobody registered.
    litellm.disable_streaming_logging = True
    # The first call imports half a second's worth more: better here than under a user's request.
    litellm.completion(model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "-"}], mock_response="-")
    return litellm
