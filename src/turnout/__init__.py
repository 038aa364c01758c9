"""Turnout: every LLM call of your app on the right track.

    app.add_middleware(TurnoutMiddleware, config="turnout.toml")    # from turnout.asgi import TurnoutMiddleware

Importing this package loads neither litellm nor scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnout.doors.in_process import transport as transport
    from turnout.openai.completion import Chunk as Chunk
    from turnout.openai.completion import Completion as Completion
    from turnout.records import Decision as Decision
    from turnout.records import Outcome as Outcome
    from turnout.settings import Settings as Settings
    from turnout.turnout import Turnout as Turnout

__version__ = "0.1.0"

_HOMES = {
    "Turnout": "turnout.turnout",
    "Chunk": "turnout.openai.completion",
    "Completion": "turnout.openai.completion",
    "Decision": "turnout.records",
    "Outcome": "turnout.records",
    "Settings": "turnout.settings",
    "transport": "turnout.doors.in_process",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'turnout' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
