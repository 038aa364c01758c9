"""`turnout.transport()`: the door for code in the same process, through no network."""

from __future__ import annotations

import threading

from turnout.api.transport import Transport
from turnout.settings import Settings
from turnout.turnout import Config, Turnout, current_turnout


def transport(config: Config | None = None, *, model: str | None = "auto") -> Transport:
    """A transport for `httpx.Client` and `httpx.AsyncClient` that leads to the Turnout mounted around the request at
    hand, else to the one of `config` (a path, a mapping or Settings; built when first needed), else to the only one
    mounted.

    model: replaces the model's name that the code asks for, unless it is auto, cheap, expensive, a configured full
    name or an alias; None keeps every name. Raises SettingsError; a request raises UsageError where there is no
    Turnout to lead to, or several.
    """
    default = None if config is None else _BuiltOnce(Settings.of(config))
    return Transport(lambda: current_turnout(default).api, model)


class _BuiltOnce:
    """The Turnout of a transport's own settings, built when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._turnout: Turnout | None = None

    def __call__(self) -> Turnout:
        with self._lock:
            if self._turnout is None:
                self._turnout = Turnout(self._settings)
            return self._turnout
