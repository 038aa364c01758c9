"""What a test scripts: answers, errors and raw bytes, in words that belong to no provider. Each wire spells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Body = dict[str, Any]

FAULTS = {
    "hang": "nothing at all, not even headers",
    "hang_between": "headers and the first half, then nothing",
    "drip": "headers, then a byte that means nothing every 50 ms, for ever",
    "drip_between": "as `drip`, after the first half",
    "cut": "the connection ends before the promised length; of a stream, before its finish",
    "half_frame": "as `cut`; of a stream, in the middle of an event",
    "reset": "the connection reset before any answer",
    "reset_between": "the connection reset after the first half",
    "garbage": "bytes that are no UTF-8 and no JSON, with the right content type",
    "truncated": "JSON that ends in the middle, in a transfer that ends well",
    "html_502": "a proxy's own page",
    "html_200": "a page with the status of an answer",
    "error_in_200": "the provider's error object with the status of an answer; of a stream, as its only event",
    "error_in_stream": "the provider's error event after the first words; of a whole answer, as `error_in_200`",
    "no_done": "a stream without its last mark ([DONE], message_stop)",
    "no_finish": "a stream that ends in good order, its mark included, and never told a finish",
    "empty": "no choice, candidate or block at all",
    "endless": "words for ever; of a whole answer, blanks",
}

ErrorKind = Literal[
    "bad_request", "context_length", "wrong_key", "no_credit", "forbidden", "unknown_model", "too_large",
    "rate_limited", "server_error", "overloaded",
]  # fmt: skip
ERROR_KINDS: tuple[ErrorKind, ...] = ErrorKind.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an answer used. prompt holds cached and written, completion holds reasoning.

    form: "total_only" tells the reasoning in the total alone (xAI, Gemini's OpenAI endpoint); "none" tells nothing.
    """

    prompt: int = 7
    completion: int = 4
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    form: Literal["full", "total_only", "none"] = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool call of an answer."""

    name: str = "add"
    arguments: Mapping[str, Any] = field(default_factory=lambda: {"a": 2, "b": 2})
    call_id: str = "call_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider says, whole or streamed as the request asks. finish: OpenAI's word, or the provider's own
    (anything else than OpenAI's goes out as it is). extra: further fields of the message (OpenAI's wire alone).
    fault: a name of FAULTS. delay_s: before the first byte."""

    text: str = "It is four."
    reasoning: str = ""
    signature: str = ""
    tools: tuple[Tool, ...] = ()
    finish: str = ""
    tokens: Tokens = Tokens()
    model: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.fault and self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is no fault; there are {', '.join(FAULTS)}")

    @property
    def reason(self) -> str:
        """OpenAI's finish reason."""
        return self.finish or ("tool_calls" if self.tools else "stop")

    @property
    def words(self) -> tuple[str, ...]:
        """The text as it is streamed."""
        return tuple(word + " " for word in self.text.split(" ")[:-1]) + tuple(self.text.split(" ")[-1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The provider's own body and status for this kind of error. retry_after: seconds, in its header."""

    kind: ErrorKind
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """These bytes, in these pieces, whatever was asked."""

    pieces: tuple[bytes, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pause_s: float = 0.0


Reply = Answer | Failure | Raw


class HttpError(NamedTuple):
    """A provider's error as it stands on the wire."""

    status: int
    body: Body


class Frames(NamedTuple):
    """A stream's events: up to the last word, from the finish on, and the mark at the end."""

    words: list[bytes]
    finish: list[bytes]
    done: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived. headers: names in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
