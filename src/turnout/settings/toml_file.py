"""What a settings file says, before anything of it is checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnout.errors import SettingsError


def mapping_of(file: Path, also: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """The file as a mapping, relative paths made relative to its folder. also: models to add as the expensive
    tier's last fallbacks where no tier names them. Raises SettingsError, which names the file."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error
    except FileNotFoundError as error:
        raise SettingsError(f"there is no settings file {file}; `turnout init` writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        # Its own text names the file once more.
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"cannot read the settings file {file}: {why}") from error
    return _beside(_with(values, also), file.parent)


def _with(mapping: dict[str, Any], also: tuple[str, ...]) -> Mapping[str, Any]:
    """The same settings with these models too. Tiers of a wrong shape stay as they are, for the check to say so."""
    try:
        cheap, dear = mapping["tiers"]["cheap"]["models"], mapping["tiers"]["expensive"]["models"]
        more = [name for name in also if name not in cheap and name not in dear]
        return {
            **mapping,
            "tiers": {**mapping["tiers"], "expensive": {**mapping["tiers"]["expensive"], "models": [*dear, *more]}},
        }
    except (KeyError, TypeError):
        return mapping


def _beside(mapping: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The same settings, relative paths made relative to this folder."""
    values = dict(mapping)
    if isinstance(queue := values.get("queue"), dict):
        values["queue"] = {"path": "turnout-jobs.sqlite", **queue}
    if isinstance(cache := values.get("cache"), dict) and isinstance(semantic := cache.get("semantic"), dict):
        path = semantic.get("verifier")
        if isinstance(path, str) and path:
            values["cache"] = {**cache, "semantic": {**semantic, "verifier": str(folder / path)}}
    for section, name in (("routing", "scorer"), ("log", "path"), ("queue", "path")):
        part = values.get(section)
        path = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict) and isinstance(path, str) and path not in ("", "default"):
            values[section] = {**part, name: str(folder / path)}
    return values
