"""What both doors do when they are mounted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from turnout.assembly import Turnout
from turnout.errors import SettingsError
from turnout.settings import Settings

Config = str | os.PathLike[str] | Mapping[str, Any] | Settings


def mounted(config: Config | None) -> Turnout:
    """The Turnout of this config. Raises SettingsError, also where there is none."""
    if config is None:
        raise SettingsError('TurnoutMiddleware needs config="turnout.toml": a path, a mapping or Settings')
    return Turnout(config)
