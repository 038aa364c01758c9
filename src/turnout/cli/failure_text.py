"""Why a model gave no answer, in words for whoever sits before the command: the cause itself, never a key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import AttemptError
from turnout.errors import ServedError
from turnout.records import Outcome, SkipReason
from turnout.settings import Settings
from turnout.upstream.attempt import to_check

# Characters of a provider's own words.
SHOWN = 240
_SKIPPED: Mapping[SkipReason, str] = {
    "open": "is left alone after it failed several times in a row",
    "paused": "asks to be left alone (429)",
    "full": "is busy: as many calls as its max_concurrency and max_waiting allow are under way",
}
_SECRET_NAME = re.compile(r"key|token|secret|passw|authorization|credential", re.I)
# What a key looks like wherever it comes from: some providers show back the one that they refuse.
_SECRET = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|r8)[-_][\w*\-]{6,}|\b(?:AIza|eyJ)[\w\-.]{10,}\w|(?<=Bearer )\S+", re.I)
# A shorter one would hide common words.
_SECRET_LENGTH = 6


class Hidden:
    """Texts without the keys that these settings and the environment hold, nor anything that looks like one."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        named = {settings.model(name).api_key_env for name in settings.model_names}
        known = {value for name, value in environ.items() if name in named or _SECRET_NAME.search(name)}
        for name in settings.model_names:
            known |= set(_secrets(settings.model(name).params))
        # The longest first: one may be another's beginning.
        self._known = sorted((value for value in known if len(value) >= _SECRET_LENGTH), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for value in self._known:
            text = text.replace(value, "[key]")
        return _SECRET.sub("[key]", text)


def _secrets(told: Any, name: str = "") -> Iterator[str]:
    """The texts in a model's parameters that are named as secrets are, headers included."""
    if isinstance(told, Mapping):
        for key, value in told.items():
            yield from _secrets(value, f"{name} {key}")
    elif isinstance(told, str) and _SECRET_NAME.search(name):
        yield told
        yield from told.split()[1:]


class Causes:
    """Words for what went wrong with one ask."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self._hidden = Hidden(settings, os.environ if environ is None else environ)
        # What each model refused us for: told again of calls that its circuit does not let through.
        self._refusals: dict[str, str] = {}

    def refusal(self, model: str, fault: AttemptError | None) -> str:
        """Of a model that is ours to mend. fault: what it said now; None where it was not called again."""
        if fault is not None:
            status = f" ({fault.status})" if fault.status else ""
            said = self._said(fault.message)
            self._refusals[model] = f"{model} refuses us{status}: check {to_check(fault.status)}; it said: {said}"
        return self._refusals.get(model, f"{model} refuses us")

    def failure(self, model: str, error: ServedError, outcome: Outcome | None, heard: Sequence[AttemptError]) -> str:
        """Of a model that gave no answer. heard: what its provider said, in order."""
        last = outcome.attempts[-1] if outcome is not None and outcome.attempts else None
        skips = outcome.skipped if outcome is not None else ()
        if last is not None and last.error == "timeout":
            return f"{model} gave no answer within {last.duration_s:.2g} s"
        if heard:
            status = f" ({heard[-1].status})" if heard[-1].status else ""
            return f"{model}: {heard[-1].kind}{status}: {self._said(heard[-1].message)}"
        if skips:
            return f"{model} {_SKIPPED.get(skips[-1].reason, f'was not asked ({skips[-1].reason})')}"
        return f"{model}: {self._said(error.message)}"

    def _said(self, text: str) -> str:
        # The provider's own words, without litellm's names for them, on one line.
        told = self._hidden(" ".join(text.rsplit("Exception - ", 1)[-1].split()))
        return told if len(told) <= SHOWN else told[: SHOWN - 3] + "..."
