"""Whose fault a refusal is, of some two hundred that providers really send: read from the body alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.refusals import ALL, OURS, Refusal
from turnout.attempt_errors import (
    AttemptError,
    CallerFault,
    ContextTooLong,
    Denied,
    Misconfigured,
    NoAnswer,
    ProviderFailed,
    ProviderRateLimited,
    RequestTooLarge,
    UnclearDenial,
    UnclearRefusal,
    Unsupported,
)
from turnout.upstream.failures import failure, hidden_failure, json_or_none

# The most special first.
MEANINGS: dict[str, type[AttemptError]] = {
    "too_long": ContextTooLong,
    "model": Unsupported,
    "ours": Misconfigured,
    "unclear": UnclearRefusal,
    "caller": CallerFault,
}


def of(refusal: Refusal) -> AttemptError:
    raw = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
    return failure(refusal.status, {}, raw.encode())


def meaning(error: AttemptError) -> str:
    return next(name for name, kind in MEANINGS.items() if isinstance(error, kind))


@pytest.mark.parametrize("provider", sorted({refusal.provider for refusal in ALL}))
def test_each_providers_refusals_are_told_apart(provider: str) -> None:
    """What is ours, what this model lacks, what is too long and for which window, and what is the caller's."""
    for refusal in ALL:
        if refusal.provider == provider:
            error = of(refusal)
            assert meaning(error) == refusal.means, error.message
            if isinstance(error, ContextTooLong):
                assert error.window == refusal.window, error.message


def test_the_table_holds_every_provider_and_meaning() -> None:
    """Or it would prove less than it says."""
    assert len(ALL) > 180
    assert {refusal.means for refusal in ALL} == set(MEANINGS)


@pytest.mark.parametrize("refusal", OURS, ids=[f"{each.provider}-{at}" for at, each in enumerate(OURS)])
def test_what_a_caller_wrote_is_never_taken_for_our_fault(refusal: Refusal) -> None:
    """A message that repeats a caller's text, quoted or not, opens no circuit."""
    text = json.dumps(refusal.body)
    for said in (f"Invalid value: '{text}'.", f"messages.0.content: {text}", f"Bad role {text}"):
        error = failure(400, {}, json.dumps({"error": {"message": said, "type": "invalid_request_error"}}).encode())
        assert isinstance(error, CallerFault | Unsupported), said


_MODERATED = 'Your chosen model requires moderation and your input was flagged for "violence". No credits were charged.'
_TOO_DEAR = (
    "This request requires more credits, or fewer max_tokens. You requested up to 320 tokens, but can only afford 12. "
    "To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account"
)
_GUIDELINES = "Content violates usage guidelines. Team: x, API key ID: y, Model: m, Failed check: SAFETY_CHECK_TYPE_BIO"
_NOT_PERMITTED = "The caller does not have permission to execute the specified operation"
_NO_TOOLS = (
    "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai"
)
_QUOTA = {"message": "You exceeded your current quota, please check your plan.", "code": "insufficient_quota"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"error": {"code": 403, "message": _MODERATED}}, CallerFault),
        (403, {"code": _NOT_PERMITTED, "error": _GUIDELINES}, CallerFault),
        (403, {"error": {"message": "no", "code": "content_filter"}}, CallerFault),
        (402, {"error": {"code": 402, "message": _TOO_DEAR}}, RequestTooLarge),
        (404, {"error": {"code": 404, "message": _NO_TOOLS}}, Unsupported),
        (404, {"error": {"code": 404, "message": "No endpoints found that support image input"}}, Unsupported),
        # Ours, however like it they are.
        (403, {"error": {"message": "Your account was flagged for a violation of our usage policies."}}, Denied),
        (403, {"error": {"message": "This project has been flagged"}}, Denied),
        (404, {"error": {"message": "No endpoints found matching your data policy"}}, UnclearDenial),
        (404, {"error": {"message": "No endpoints found for acme/safety-7b."}}, UnclearDenial),
        (403, {"error": {"message": "Not permitted for acme/safety-7b"}}, UnclearDenial),
        (403, {"error": {"message": "Model acme-7b with safety filters is not available to you"}}, Denied),
        (402, {"error": {"message": "Insufficient credits."}}, Denied),
        (407, "Proxy Authentication Required", Denied),
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, Denied),
        (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-x"}}, Denied),
        (403, {"error": {"message": "No.", "type": "permission_error"}}, Denied),
        (403, {"error": {"message": "No.", "code": "invalid_api_key"}}, Denied),
        (403, {"error": {"message": "Your API key was reported as leaked."}}, Denied),
        # Of nobody's by their words: a firewall's answer to what a prompt holds, or a file that a request refers to.
        (403, "<html><body><h1>403 Forbidden</h1></body></html>", UnclearDenial),
        (405, "<html><body><h1>405 Not Allowed</h1></body></html>", UnclearDenial),
        (404, "404 page not found", UnclearDenial),
        (402, {"error": {"message": "no"}}, UnclearDenial),
        (302, "", UnclearDenial),
        (
            403,
            {"error": {"message": "You do not have permission to access the File f-1.", "status": "PERMISSION_DENIED"}},
            UnclearDenial,
        ),
        (429, {"error": _QUOTA}, Denied),
        (
            429,
            {"error": {"message": "Quota exceeded for metric x", "status": "RESOURCE_EXHAUSTED"}},
            ProviderRateLimited,
        ),
        (429, {"error": {"message": "Rate limit reached on TPM: Limit 6000, Requested 7000."}}, RequestTooLarge),
        (
            429,
            {"error": {"message": "Rate limit reached on TPM: Limit 6000, Used 9, Requested 7000."}},
            RequestTooLarge,
        ),
        (429, {"error": {"message": "Rate limit: Limit 6000, Used 5900, Requested 6000."}}, ProviderRateLimited),
        # Whatever else a caller can cause.
        (409, {"error": {"message": "Another process works on this conversation."}}, UnclearRefusal),
        (414, "URI Too Long", UnclearRefusal),
        (415, {"detail": "Unsupported media type"}, UnclearRefusal),
        (
            424,
            {"error": {"message": "Error retrieving tool list from MCP server: 'x'.", "param": "tools"}},
            CallerFault,
        ),
        (431, {"error": {"message": "Request Header Fields Too Large"}}, UnclearRefusal),
        (418, "", UnclearRefusal),
        (499, {"error": {"message": "client closed"}}, NoAnswer),
    ],
)
def test_what_a_caller_can_cause_counts_against_no_circuit(
    status: int, body: dict[str, Any] | str, kind: type[AttemptError]
) -> None:
    """Whatever the status is that a provider gives it, and as an error inside a 200, too."""
    error = failure(status, {}, (body if isinstance(body, str) else json.dumps(body)).encode())
    assert type(error) is kind
    assert not error.counts
    if isinstance(body, dict) and isinstance(fields := body.get("error"), dict) and isinstance(fields.get("code"), int):
        assert type(hidden_failure(body)) is kind


def test_an_errors_body_of_very_many_values_is_not_decoded() -> None:
    """It is classed by its status alone."""
    body = b'{"error": {"message": "no", "x": [' + b"[]," * 750_000 + b"[]]}}"
    assert json_or_none(body) is None
    assert type(failure(500, {}, body)) is ProviderFailed


def test_a_code_and_a_parameter_are_told_only_where_they_are_names() -> None:
    """A provider may put anything there, an account or a caller's text."""
    for odd in ("tools of org-ACME", "a" * 90, "<b>", "x\r\nset-cookie: a", "1"):
        fields = {"message": "Invalid value", "param": odd, "code": odd}
        error = failure(400, {}, json.dumps({"error": fields}).encode())
        assert type(error) is CallerFault
        told = error.served()
        assert told.param is None
        assert odd not in f"{told.message} {told.told_code}"
    named = failure(400, {}, b'{"error": {"message": "bad", "param": "messages.[0].role", "code": "invalid_value"}}')
    assert isinstance(named, CallerFault)
    assert (named.served().param, named.served().told_code) == ("messages.[0].role", "invalid_value")


def test_a_413_is_for_another_model() -> None:
    """Its limit is the model's own, or its account's; where a place in the request is named it is the caller's."""
    assert isinstance(failure(413, {}, b"Request Entity Too Large"), RequestTooLarge)
    named = failure(413, {}, b'{"error": {"message": "too many", "param": "tools"}}')
    assert type(named) is CallerFault


@pytest.mark.parametrize("refusal", [each for each in ALL if isinstance(each.body, dict)])
def test_an_error_inside_a_200_means_the_same(refusal: Refusal) -> None:
    """Whole or as an event: where it says what it is, it is told so; else the provider has failed."""
    error = hidden_failure(refusal.body)
    assert error is not None
    tells_another_status = "api_error" in json.dumps(refusal.body) or refusal.status not in (400, 422)
    if refusal.means != "unclear" and not tells_another_status:
        assert meaning(error) == refusal.means, error.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded", "type": "requests"}}, "rate_limited"),
        ({"error": {"message": "slow down", "code": "429"}}, "rate_limited"),
        ({"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}, "rate_limited"),
        ({"error": {"message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}}, "rate_limited"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "provider_error"),
        ({"object": "error", "message": "EngineDeadError", "code": 500}, "provider_error"),
        ({"error": "Request failed during generation", "error_type": "generation"}, "provider_error"),
        ({"message": "internal server error"}, "provider_error"),
        ({"detail": "Internal error"}, "provider_error"),
        ({"errors": [{"message": "AiError: upstream", "code": 5006}], "success": False}, "provider_error"),
        ({"error": {"message": "no", "code": "model_not_found"}}, "misconfigured"),
        ({"choices": [{"index": 0}], "error": {"message": "down"}}, "provider_error"),
        ({"choices": [{"index": 0}, {"index": 1, "error": {"message": "down", "code": 502}}]}, "provider_error"),
        ({"candidates": [{"content": {}}], "error": {"message": "overloaded", "code": 503}}, "provider_error"),
    ],
)
def test_each_providers_error_inside_a_200_is_found(answer: dict[str, object], kind: str) -> None:
    """In each provider's own shape."""
    error = hidden_failure(answer)
    assert error is not None
    assert error.kind == kind


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "c", "choices": [{"index": 0}], "error": None},
        {"id": "c", "choices": [{"index": 0, "error": None}], "error": {"message": "", "code": None}},
        {"type": "message", "content": [{"type": "text", "text": "error"}]},
        {"type": "message_start", "message": {"id": "m"}},
        {"id": "1", "message": {"role": "assistant", "content": []}, "finish_reason": "COMPLETE"},
        {"candidates": [{"content": {}}], "error": {}},
        {"id": "r", "object": "response", "output": [], "error": None},
    ],
)
def test_an_answer_is_no_error(answer: dict[str, object]) -> None:
    """Whatever fields it has beside."""
    assert hidden_failure(answer) is None
