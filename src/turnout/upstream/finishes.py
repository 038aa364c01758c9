"""What an answer ended with: OpenAI's word for each provider's, and which ones tell a failure. Pure.

A finish that is on no list here is told as it came. Such an answer may be no whole one: it is never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from turnout.attempt_errors import ProviderFailed

# OpenAI's own words stand for themselves; those of others in small letters.
OPENAI_FINISHES = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_KNOWN: Mapping[str, str] = {
    **{word: word for word in OPENAI_FINISHES},
    **dict.fromkeys(("complete", "completed", "end_turn", "eos", "eos_token", "stop_sequence"), "stop"),
    **dict.fromkeys(
        (
            *("compaction", "continuation", "max_output_tokens", "max_tokens", "model_context_window_exceeded"),
            *("model_length", "pause_turn"),
        ),
        "length",
    ),
    **dict.fromkeys(("tool_call", "tool_use"), "tool_calls"),
    **dict.fromkeys(
        (
            *("blocklist", "content_filtered", "error_toxic", "escalation", "guardrail_intervened"),
            *("image_prohibited_content", "image_recitation", "image_safety", "language", "prohibited_content"),
            *("recitation", "refusal", "safety", "sensitive", "spii"),
        ),
        "content_filter",
    ),
}
# What ends an answer that failed at the provider, reported in the place of a finish; in small letters.
_FAILED = frozenset({
    "abort", "aborted", "canceled", "cancelled", "error", "failed", "insufficient_system_resource", "internal_error",
    "internal_server_error", "network_error", "overloaded", "server_error", "service_unavailable", "timeout",
})  # fmt: skip
_LONGEST = 60
_PLACES = frozenset({"finish_reason", "stop_reason"})


def to_openai_finish(reason: Any, *, called: bool = False) -> str | None:
    """OpenAI's word for a provider's finish; None where it told none. called: whether the answer holds a tool call,
    with which no finish is `stop`. Raises ProviderFailed for a finish that tells a failure."""
    if reason is None or reason == "":
        return "tool_calls" if called and reason == "" else None
    word = reason if isinstance(reason, str) else repr(reason)
    if word.lower() in _FAILED:
        raise ProviderFailed(f"the provider's answer ended with {word!r}")
    known = _KNOWN.get(word.lower(), word[:_LONGEST])
    return "tool_calls" if called and known == "stop" else known


def finish_of(choice: Mapping[str, Any]) -> Any:
    """What a choice on OpenAI's wire reports as its finish: OpenRouter's `native_finish_reason` where that is none of
    OpenAI's words and it says `stop` for it. Raises ProviderFailed where either tells a failure."""
    finish, native = choice.get("finish_reason"), choice.get("native_finish_reason")
    own = to_openai_finish(native) if isinstance(native, str) else None
    hides = own is not None and own not in OPENAI_FINISHES and to_openai_finish(finish) in ("stop", "tool_calls")
    return own if hides else finish


def reported_finishes(data: Any) -> dict[int, str]:
    """OpenAI's words for what each choice ended with, in an answer or an event of any provider's own wire. Raises
    ProviderFailed where one tells a failure."""
    own = ((index, to_openai_finish(finish)) for index, finish in _finishes(data) if isinstance(finish, str))
    return {index: word for index, word in own if word}


def unknown_finishes(data: Any) -> dict[int, str]:
    """By choice, the finish that is none of OpenAI's words, as the provider reported it: litellm would say `stop`."""
    return {index: word for index, word in reported_finishes(data).items() if word not in OPENAI_FINISHES}


def hidden_finishes(answer: Any) -> dict[int, str | None]:
    """By choice of a whole answer, or of an event with a place for it, what the provider reported where litellm would
    say `stop`: a word that is none of OpenAI's, or None where it reported nothing."""
    reported = reported_finishes(answer)
    return {index: word for index, _ in _finishes(answer) if (word := reported.get(index)) not in OPENAI_FINISHES}


def _finishes(data: Any) -> Iterable[tuple[int, Any]]:
    """The finishes in OpenAI's place, in Gemini's, in Cohere's and in Anthropic's."""
    if not isinstance(data, Mapping):
        return
    for holders in ("choices", "candidates"):
        listed = data.get(holders)
        for at, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, Mapping):
                index = each.get("index")
                finish = finish_of(each) if holders == "choices" else each.get("finishReason")
                yield index if isinstance(index, int) else at, finish
    if isinstance(feedback := data.get("promptFeedback"), Mapping) and feedback.get("blockReason"):
        # Gemini's answer to what it does not answer, in the place of a candidate.
        yield 0, "content_filter"
    for holder in (data, data.get("delta")):
        if isinstance(holder, Mapping) and (holder.keys() & _PLACES or holder.get("type") == "message"):
            yield 0, holder.get("finish_reason") or holder.get("stop_reason")
