"""One try of one model, from its beginning to its record in the trace."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from turnout.attempt_errors import (
    AttemptError,
    AttemptTimeout,
    CutShort,
    Misconfigured,
    NotConnected,
    UnforeseenError,
    Unsupported,
)
from turnout.openai.answers import Body, count_characters, finish_reason
from turnout.openai.builder import AnswerBuilder
from turnout.openai.usage import NO_LIMITS, TokenLimits, read_usage, reported_cost, reported_usage
from turnout.ports.runtime import Clock, Observer, ProviderCall
from turnout.pricing import FREE, Price
from turnout.records import Attempt, Usage
from turnout.redaction import Redactor, without_path, without_quotes
from turnout.settings import Model
from turnout.telemetry import names
from turnout.upstream.bulkhead import CallSlot
from turnout.upstream.call_trace import CallTrace
from turnout.upstream.parameters import name_parameter

log = logging.getLogger("turnout.upstream")

# Characters of a provider's text that are looked at, and of its line in the log.
_MAX_TEXT = 4000
MAX_LINE = 500
_LEFT = (asyncio.CancelledError, GeneratorExit)
CANCELLED = "cancelled"
# What a provider may have written of a stream beyond what we read, before it learns that nobody reads on.
UNREAD_TOKENS = 512
# An attempt that our deadline left less than this part of its own time is not the provider's to answer for.
FAIR = 0.5
# What a provider refuses us for, by its status.
_TO_CHECK: Mapping[int | None, str] = {
    401: "its key (api_key_env)",
    402: "the credit of its account",
    403: "what its key is allowed, and its name",
    404: "its name, and its address (api_base)",
    405: "its address (api_base)",
    429: "the credit of its account",
    None: "its key (api_key_env) and its name",
}

_USAGE_FAULTS: Mapping[str, str] = {
    "contradictory": "%s tells a usage that contradicts itself: it counts upwards",
    "impossible": "%s tells a usage that it cannot have: it is not believed, and the worst case counts",
}


def to_check(status: int | None) -> str:
    """What to look at where a provider refuses us with this status, or without one."""
    status = 405 if status is not None and 300 <= status < 400 else status
    return _TO_CHECK.get(status, _TO_CHECK[None])


class AttemptInProgress:
    """One try. Ended exactly once, whatever happened: recorded, and reported to the observer and the circuit.

    deadline_s: how long a whole request may take, which no attempt outlives.
    """

    def __init__(
        self,
        *,
        slot: CallSlot,
        model: Model,
        call: ProviderCall,
        trace: CallTrace,
        clock: Clock,
        observer: Observer,
        price: Price | None,
        limits: TokenLimits,
        token: Any,
        deadline_s: float,
        warned: set[str],
        redactor: Redactor,
        second_sample: bool = False,
    ) -> None:
        self.slot = slot
        self.model = model
        self.call = call
        self.began = clock.monotonic()
        self.first_chunk_s: float | None = None
        self._trace = trace
        self._clock = clock
        self._observer = observer
        self._price = price
        self._limits = limits
        self._token = token
        self._deadline_s = deadline_s
        self._warned = warned
        self._redactor = redactor
        self._second_sample = second_sample
        self._fair = True
        self._error: AttemptError | None = None
        self._error_kind: str | None = None
        self._usage: Usage | None = None
        self._body: Mapping[str, Any] = {}
        self._written: int | None = None
        trace.trying_since = self.began

    @property
    def choices(self) -> int:
        """How many answers were asked for."""
        asked = self.call.params.get("n")
        return asked if isinstance(asked, int) else 1

    def answer_by(self, deadline: float) -> float:
        """When the whole answer must be here."""
        return self._by(self.model.timeout_s, deadline)

    def first_chunk_by(self, deadline: float) -> float:
        """When a stream's first content-bearing chunk must be here."""
        return self._by(min(self.model.timeout_s, self.model.first_token_timeout_s), deadline)

    def next_chunk_by(self, deadline: float) -> float:
        """When the next chunk must be here, waiting for it from now on."""
        now = self._clock.monotonic()
        self._fair = now + self.model.chunk_timeout_s <= deadline
        return min(deadline, now + self.model.chunk_timeout_s)

    def _by(self, allowed_s: float, deadline: float) -> float:
        self._fair = deadline - self.began >= FAIR * min(allowed_s, self._deadline_s)
        return min(deadline, self.began + allowed_s)

    def note_first_chunk(self) -> None:
        """The first content-bearing chunk is here."""
        self.first_chunk_s = self._clock.monotonic() - self.began
        self.slot.permit.report_first_chunk()

    def fail(self, error: BaseException) -> AttemptError:
        """The fault that this error is. A cancellation is none: it is recorded and raised again."""
        if not isinstance(error, Exception):
            self._error_kind = CANCELLED if isinstance(error, _LEFT) else "internal_error"
            raise error
        if isinstance(error, TimeoutError):
            error = AttemptTimeout("the provider took too long")
        if isinstance(error, AttemptTimeout) and not self._fair:
            error = CutShort("the deadline came before the provider could answer")
        if not isinstance(error, AttemptError):
            self._log_unforeseen(error)
            error = UnforeseenError(f"{type(error).__name__}: {error}")
        if isinstance(error, Unsupported):
            name_parameter(error, self.call.params)
        self._error_kind = error.kind
        self._error = error
        text = self._line(error)
        self._trace.causes[self.call.model] = f"{error.kind}: {text}"
        self._log(error, text, opened=self.slot.permit.report_failure(error))
        return error

    def _log(self, error: AttemptError, text: str, *, opened: bool) -> None:
        """Logs a fault on our side as a warning, at each opening of the circuit and else once a model; a provider's own
        trouble is in spans and metrics."""
        name = self.call.model
        if opened:
            message = "%s refuses us and is left alone, but for a probe every [breaker] reset_s: check %s. It said: %s"
            log.warning(message, name, to_check(error.status), text)
        else:
            # Nobody there is most often a wrong address of ours.
            ours = isinstance(error, Misconfigured | NotConnected) and name not in self._warned
            why = (
                f"{text} (at {self._address()}: {self._redactor.line(repr(error.__cause__), 300)})"
                if isinstance(error, NotConnected)
                else text
            )
            log.log(logging.WARNING if ours else logging.INFO, "attempt of %s failed: %s: %s", name, error.kind, why)
        if isinstance(error, Misconfigured | NotConnected):
            self._warned.add(name)

    def warn_of_refusals(self, refusals: Mapping[str, AttemptError]) -> None:
        """Warns of the models that refused what this one has answered, once a model: it is ours to mend."""
        for name, error in refusals.items():
            known = f"{name}: refuses what another answers"
            if known not in self._warned:
                self._warned.add(known)
                message = "%s refuses as invalid (%s) what %s then answered: check what it is asked. It said: %s"
                log.warning(message, name, error.status, self.call.model, self._line(error))

    def _address(self) -> str:
        """The host that the settings name for this model, without what may be secret in its URL."""
        base = self.model.params.get("api_base") or self.model.params.get("base_url")
        return without_path(str(base)) if base else "its provider's own address"

    def _log_unforeseen(self, error: Exception) -> None:
        """With its traceback once a model and kind: the lines of code alone, since values may hold prompts."""
        where = traceback.extract_tb(error.__traceback__)
        known = f"{self.call.model}: {type(error).__name__} at {where[-1].name if where else ''}"
        if known in self._warned:
            return
        self._warned.add(known)
        lines = "".join(traceback.format_list(where))
        log.error("an attempt of %s met an unforeseen error: %s\n%s", self.call.model, self._line(error), lines)

    def _line(self, error: Exception) -> str:
        """An error's text as one line, without secrets and without what it repeats of the request."""
        text = str(error)[:_MAX_TEXT]
        return self._redactor.line(without_quotes(text, self.call.texts), MAX_LINE)

    def read(self, body: Body) -> Body:
        """The whole answer, with the usage that counts in place of its provider's; where that has none that can be
        believed, we count."""
        characters = count_characters(body)
        self._body = body
        self._usage = self._read_usage(body, answered=characters is not None)
        if self._usage is None:
            self._usage = self._estimate_usage(0 if characters is None else max(1, characters))
        return body if self.call.inputs else {**body, "usage": reported_usage(self._usage, body.get("usage"))}

    def succeed(self) -> None:
        """The whole answer is here, and read."""
        self.slot.permit.report_success()

    def break_off(self, whole: AnswerBuilder, usage: Mapping[str, Any] | None) -> None:
        """Broken off: what was received is billed. usage: what it had told of it."""
        body = {**whole.body(), "usage": usage}
        if whole.characters:
            # What a stream tells on its way is not yet all that it used.
            usage_so_far = self._read_usage(body, answered=True) if whole.finished else None
            self._usage = usage_so_far or self._estimate_usage(whole.characters)
            silent = any((choice.get("message") or {}).keys() & {"audio", "images"} for choice in body["choices"])
            if not silent and "reasoning" not in (self._limits.abilities or ()):
                # No token is shorter than a byte, no character longer than four. What is reasoned is not streamed
                # everywhere, and what is heard or seen is no text.
                self._written = 4 * whole.characters + UNREAD_TOKENS

    def _read_usage(self, body: Mapping[str, Any], *, answered: bool) -> Usage | None:
        # A window holds one text, and a call of embeddings many.
        limits = NO_LIMITS if self.call.inputs else self._limits
        usage, fault = read_usage(body, limits, self.choices, answered=answered)
        if fault:
            name = self.call.model
            self._observer.event(None, names.USAGE_DOUBTED, {names.MODEL: name, names.USAGE_FAULT: fault})
            known = f"{name}: {fault} usage"
            if known not in self._warned:
                self._warned.add(known)
                log.log(logging.WARNING if usage is None else logging.INFO, _USAGE_FAULTS[fault], name)
        return usage

    def _estimate_usage(self, characters: int) -> Usage:
        # Four characters a token: OpenAI's own rule of thumb for English text.
        sent = sum(map(len, self.call.texts))
        return Usage(prompt_tokens=-(-sent // 4), completion_tokens=-(-characters // 4), estimated=True)

    def end(self) -> None:
        """Writes the record."""
        usage, price = self._usage, self._price
        attempt = Attempt(
            model=self.call.model,
            tier=self.slot.candidate.tier,
            duration_s=self._clock.monotonic() - self.began,
            first_chunk_s=self.first_chunk_s,
            error=self._error_kind,
            status=self._error.status if self._error else None,
            usage=usage,
            cost_usd=price.charged(usage, reported_cost(self._body.get("usage"))) if price and usage else FREE,
            response_model=self._body.get("model"),
            response_id=self._body.get("id"),
            finish_reason=finish_reason(self._body),
            sent=self.call.progress.sent,
            written=self._written if self._error_kind == CANCELLED else None,
            dropped=self.call.progress.dropped,
            operation=self.call.operation,
            second_sample=self._second_sample,
        )
        self._trace.trying_since = None
        self._trace.attempts.append(attempt)
        self._observer.attempt_ended(self._token, attempt)
