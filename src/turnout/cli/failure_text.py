"""Says in one line why a model gave no answer: the cause itself, never a key."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from turnout.attempt_errors import AttemptError
from turnout.errors import ServedError
from turnout.records import Outcome, SkipReason
from turnout.redaction import Redactor
from turnout.settings import Settings
from turnout.settings.secrets import secrets_of
from turnout.upstream.attempt import to_check

# Characters of a provider's own message.
MAX_LENGTH = 240
_SKIPPED: Mapping[SkipReason, str] = {
    "open": "is left alone after it failed several times in a row",
    "paused": "asks to be left alone (429)",
    "full": "is busy: as many calls as its max_concurrency and max_waiting allow are under way",
    "rate": "is busy: as much as its rate allows has been asked of it",
}


class FailureText:
    """One-line texts that say why a call failed, without any key."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self._redactor = Redactor(secrets_of(settings, os.environ if environ is None else environ))
        # By model, why it refused: repeated for calls that its circuit does not let through.
        self._refusals: dict[str, str] = {}

    def refusal(self, model: str, fault: AttemptError | None) -> str:
        """The text for a model that is misconfigured. fault: its error now; None where it was not called again."""
        if fault is not None:
            status = f" ({fault.status})" if fault.status else ""
            message = self._shortened(fault.message)
            self._refusals[model] = f"{model} refuses us{status}: check {to_check(fault.status)}; it said: {message}"
        return self._refusals.get(model, f"{model} refuses us")

    def failure(self, model: str, error: ServedError, outcome: Outcome | None, faults: Sequence[AttemptError]) -> str:
        """The text for a model that gave no answer. faults: its provider's errors, in order."""
        last = outcome.attempts[-1] if outcome is not None and outcome.attempts else None
        skips = outcome.skipped if outcome is not None else ()
        if last is not None and last.error == "timeout":
            return f"{model} gave no answer within {last.duration_s:.2g} s"
        if faults:
            status = f" ({faults[-1].status})" if faults[-1].status else ""
            return f"{model}: {faults[-1].kind}{status}: {self._shortened(faults[-1].message)}"
        if skips:
            return f"{model} {_SKIPPED.get(skips[-1].reason, f'was not asked ({skips[-1].reason})')}"
        return f"{model}: {self._shortened(error.message)}"

    def _shortened(self, text: str) -> str:
        # Without litellm's prefixes, on one line.
        return self._redactor.line(text.rsplit("Exception - ", 1)[-1], MAX_LENGTH)
