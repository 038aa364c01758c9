"""Replaces keys in texts by `[key]`, before a command prints what a provider said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from turnout.settings import Settings

_SECRET_NAME = re.compile(r"key|token|secret|passw|authorization|credential", re.I)
# What a key looks like wherever it comes from: some providers repeat the one that they refuse.
_SECRET = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|r8)[-_][\w*\-]{6,}|\b(?:AIza|eyJ)[\w\-.]{10,}\w|(?<=Bearer )\S+", re.I)
# A shorter one would hide common words.
_MIN_SECRET_LENGTH = 6


class Redactor:
    """Hides the keys that these settings and the environment hold, and whatever looks like a key."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        key_variables = {settings.model(name).api_key_env for name in settings.model_names}
        secrets = {value for name, value in environ.items() if name in key_variables or _SECRET_NAME.search(name)}
        for name in settings.model_names:
            secrets |= set(_secrets(settings.model(name).params))
        # The longest first: one may be another's beginning.
        self._secrets = sorted((value for value in secrets if len(value) >= _MIN_SECRET_LENGTH), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text with `[key]` in each key's place."""
        for value in self._secrets:
            text = text.replace(value, "[key]")
        return _SECRET.sub("[key]", text)


def _secrets(params: Any, name: str = "") -> Iterator[str]:
    """The texts in a model's parameters that are named as secrets are, headers included."""
    if isinstance(params, Mapping):
        for key, value in params.items():
            yield from _secrets(value, f"{name} {key}")
    elif isinstance(params, str) and _SECRET_NAME.search(name):
        yield params
        yield from params.split()[1:]
