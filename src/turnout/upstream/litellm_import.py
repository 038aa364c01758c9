"""Imports litellm once, off the event loop, with what it does unasked switched off first.

The import takes 2 to 8 s and, unless switched off, fetches a price table over the network.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - hooks itself into forks: not in the middle of one that waits for us
import contextlib
import gc
import importlib.util
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any

from turnout.ports.runtime import CallProgress
from turnout.upstream.litellm_bounds import bound_clients
from turnout.upstream.litellm_tuning import Tuned, tuned, warm_up
from turnout.upstream.litellm_words import divert_words

log = logging.getLogger("turnout.upstream")

_PRICE_FILE = "model_prices_and_context_window_backup.json"

_lock = threading.Lock()
_loading: Future[ModuleType] | None = None
_module: ModuleType | None = None
_quiet: Tuned | None = None
_after: list[Callable[[ModuleType], None]] = []


def start() -> Future[ModuleType]:
    """Begins the import in a daemon thread, once, so that the first request need not wait for all of it.

    A daemon's: a process that is asked to end meanwhile does not wait for it.
    """
    global _loading
    with _lock:
        if _loading is None:
            _loading = Future()
            # Running from the start: who stops waiting for it does not cancel it for the others.
            _loading.set_running_or_notify_cancel()
            threading.Thread(target=_load, args=(_loading,), name="turnout.import-litellm", daemon=True).start()
        return _loading


def load_litellm() -> ModuleType:
    """litellm, imported, quiet and warmed up. Blocks for as long as that takes; at once when it is there."""
    return _module if _module is not None else start().result()


def loaded() -> bool:
    return _module is not None


def tuning(
    model: str, messages: list[dict[str, Any]], stream: bool, progress: CallProgress | None = None
) -> dict[str, Any]:
    """Further arguments for one `acompletion`, which spare it what nobody asked for. progress: learns that the call is
    about to be sent."""
    return {} if _quiet is None else _quiet(model, messages, stream, progress)


def when_there(then: Callable[[ModuleType], None]) -> None:
    """Calls `then(litellm)` as soon as litellm is imported, by us or by the app; loads nothing for it."""
    with _lock:
        there = _module or sys.modules.get("litellm")
        if there is None or _half_imported(there):
            _after.append(then)
            return
    then(there)


def _half_imported(module: ModuleType) -> bool:
    """Whether another thread is in the middle of importing it: importlib says so on its spec."""
    return bool(getattr(module.__spec__, "_initializing", False))


def _load(loading: Future[ModuleType]) -> None:
    global _loading, _module
    try:
        module = _import()
    except BaseException as error:
        # All who wait get it; whoever asks next tries again.
        _loading = None
        loading.set_exception(error)
        return
    with _lock:
        _module = module
        waiting, _after[:] = list(_after), []
    for then in waiting:
        then(module)
    loading.set_result(module)


def _finish() -> None:
    # A fork in the middle of the import would leave its child locks that nobody holds and half a litellm. It
    # also saves each child the import.
    loading = _loading
    if loading is not None and threading.current_thread().name != "turnout.import-litellm":
        with contextlib.suppress(Exception):
            loading.result()


def _forked() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(before=_finish, after_in_child=_forked)


def _import() -> ModuleType:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    # Else the first call of Anthropic's fetches a list over the network.
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    import litellm

    # It prints help texts at each error otherwise.
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    # Rebuilding every stream's whole answer for callbacks that nobody registered.
    litellm.disable_streaming_logging = True
    # Else a stream without usage of a model whose name holds llama-3 fetches a tokenizer over the network.
    litellm.disable_hf_tokenizer_download = True
    # A guard that judges content: an answer may repeat itself.
    vars(litellm)["REPEATED_STREAMING_CHUNK_LIMIT"] = sys.maxsize
    divert_words()
    bound_clients(litellm)
    # In a thread of its own: whoever loads may be running a loop.
    warming = threading.Thread(target=_warm_up, args=(litellm,), name="turnout.warm-litellm", daemon=True)
    warming.start()
    warming.join()
    # litellm is 370,000 objects that stay for good: each full collection would walk them all, and every request
    # would wait 200 ms for it. Nor does a forked worker then copy their pages, and the interpreter ends in 0.05 s
    # instead of 0.9 s.
    gc.collect()
    gc.freeze()
    return litellm


def _warm_up(litellm: ModuleType) -> None:
    global _quiet
    try:
        arguments = tuned(litellm)
        asyncio.run(warm_up(litellm, arguments))
        _quiet = arguments
    except Exception as error:
        # Another litellm than those tried: slower, but as right as before.
        log.warning("litellm cannot be quieted, each call costs about a half more CPU: %s: %s", type(error), error)


def model_table() -> Mapping[str, Any]:
    """litellm's table of models: the imported one's, else its file's, which takes some 20 ms; empty without either."""
    if loaded():
        table: Mapping[str, Any] = load_litellm().model_cost
        return table
    return bundled_prices() or {}


def bundled_prices() -> dict[str, Any] | None:
    """litellm's own price table, read from its file without importing it; None where that file is not there."""
    found = importlib.util.find_spec("litellm")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        try:
            table = json.loads((Path(place) / _PRICE_FILE).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return table if isinstance(table, dict) else None
    return None
