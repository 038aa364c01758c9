"""`turnout.transport()`: the door that no network leads to."""

from __future__ import annotations

import threading

from turnout.api.current import current_turnout
from turnout.api.transport import Transport
from turnout.assembly import Turnout
from turnout.doors.mounting import Config
from turnout.settings import Settings


def transport(config: Config | None = None, *, model: str | None = "auto") -> Transport:
    """A transport for `httpx.Client` and `httpx.AsyncClient` that leads to the Turnout mounted around the request at
    hand, else to the one of `config` (a path, a mapping or Settings; built when first needed), else to the only one
    mounted.

    model: what the model's name is replaced by that the code asks for, unless it is auto, cheap, expensive, a
    configured full name or an alias; None keeps every name. Raises SettingsError; a request raises UsageError where
    no Turnout is meant.
    """
    if config is None:
        return Transport(current_turnout, model)
    own = _Own(Settings.of(config))
    return Transport(lambda: current_turnout(own), model)


class _Own:
    """The Turnout of a transport's own settings, built once, when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._built: Turnout | None = None

    def __call__(self) -> Turnout:
        with self._lock:
            if self._built is None:
                self._built = Turnout(self._settings)
            return self._built
