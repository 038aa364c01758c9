"""Whose fault a provider's refusal of a request (400, 402, 403, 404, 413, 422) is, by what it says of itself. Pure.

What opens a circuit is read from codes and from the beginning of a message alone: behind it, messages repeat what the
caller sent. What merely sends the request on to the next model may be read anywhere. A refusal that says neither whose
fault it is goes on to the next model, too: whom both refuse is to blame himself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from turnout.attempt_errors import (
    AttemptError,
    CallerFault,
    ContextTooLong,
    Denied,
    Misconfigured,
    RequestTooLarge,
    UnclearDenial,
    UnclearRefusal,
    Unsupported,
)


class ErrorBody(NamedTuple):
    """What an error body says. status: of its own, where it stands in a good one. retry_after: seconds, as a text."""

    message: str
    code: str | None
    param: str | None
    status: int | None
    kind: str | None = None
    retry_after: str | None = None


def refusal(status: int, error: ErrorBody) -> AttemptError:
    """The AttemptError that a refusal means."""
    return recognised(status, error) or UnclearRefusal(error.message, status=status, code=error.code)


def denial(status: int, error: ErrorBody) -> AttemptError:
    """The AttemptError that a 402, 403, 404 and their like mean: what is ours to mend, but for what providers refuse of
    one request by the same statuses. That opens no circuit."""
    message = error.message
    said = _without_quotations(message)
    first = _SENTENCE_END.split(said, maxsplit=1)[0]
    flagged = _FLAGGED.search(first) or _FLAGGED_CODE.fullmatch(error.code or "")
    ours = _OUR_ACCOUNT.match(said) or _OUR_MODEL.match(said) or _OUR_KEY.match(said) or _NOT_A_CALLERS.search(first)
    if status in _FORBIDDEN and flagged and not ours:
        return CallerFault(message, code="content_policy_violation")
    if _NO_ENDPOINT.match(said):
        return Unsupported(message, status=status, param=error.param)
    if _TOO_DEAR.search(said):
        return RequestTooLarge(message, status=413, code="request_too_large")
    by_code = is_of_account(error) or {error.code, error.kind} & _KEY_CODES or error.param == "model"
    clear = status == _PROXY_DENIES or ((ours or by_code) and not _REFERRED_TO.search(first))
    return Denied(message, status=status) if clear else UnclearDenial(message, status=status)


def is_of_account(error: ErrorBody) -> bool:
    """Whether the code says that our account, or what it may, is to blame."""
    return bool({error.code, error.kind} & _ACCOUNT_CODES)


def recognised(status: int, error: ErrorBody) -> AttemptError | None:
    """The AttemptError that a refusal means; None where it does not say whose fault it is."""
    message, names = error.message, {error.code or "", error.kind or ""}
    said = _without_quotations(message)
    if names & _KEY_CODES or _OUR_KEY.match(said):
        return Misconfigured(message, status=status)
    if (too_long := longer_than_the_window(error)) is not None:
        return too_long
    if names & _ACCOUNT_CODES or error.param == "model" or _OUR_ACCOUNT.match(said) or _OUR_MODEL.match(said):
        return Denied(message, status=status)
    if names & _LACKING_CODES or _LACKING.search(message.replace("’", "'")):
        return Unsupported(message, status=status, param=error.param)
    by_words = (_CALLERS.search(said) or _PATH.match(message)) and not _NOT_A_CALLERS.search(said)
    if error.param or any(map(_CALLERS_CODE.fullmatch, names)) or by_words:
        return CallerFault(message, status=status, code=error.code, param=error.param)
    if status == 413:
        return RequestTooLarge(message, status=status, code="request_too_large")
    return None


def longer_than_the_window(error: ErrorBody) -> ContextTooLong | None:
    """The refusal of a request that is longer than the model's window; None where it is none."""
    found = [*_TOO_LONG.finditer(error.message)]
    if not found and not {error.code, error.kind} & _TOO_LONG_CODES:
        return None
    window = next((int(group) for each in found for group in each.groups() if group), None)
    return ContextTooLong(error.message, window=window, param=error.param or "messages")


def lacks(error: ErrorBody) -> bool:
    """Whether a server that answers with its own failure (500) tells a feature that it was started without."""
    return _SERVER_LACKS.search(error.message) is not None


_QUOTATION = re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|(?<!\w)'[^'\n]*'(?!\w)")
# What gateways and SDKs write before what a provider said.
_WRAPPING = re.compile(r"(?:[^:\n]{0,80}\b(?:errors?|\w*exception|operation|request|invalidparameter)\)?\s*[:-]\s+)*")


def _without_quotations(message: str) -> str:
    """The message in lower case without what stands before it, `_` in the place of each quotation."""
    said = _QUOTATION.sub("_", message.replace("’", "'").lower())
    wrapping = _WRAPPING.match(said)
    return said[wrapping.end() if wrapping else 0 :]


_KEY_CODES = frozenset({"invalid_api_key", "authentication_error", "API_KEY_INVALID", "UNAUTHENTICATED"})
_ACCOUNT_CODES = frozenset({
    "account_deactivated", "Arrearage", "billing_error", "billing_hard_limit_reached", "billing_not_active",
    "DeploymentNotFound", "insufficient_quota", "invalid_model", "InvalidApiVersionParameter", "model_decommissioned",
    "model_deprecated", "model_not_active", "model_not_available", "model_not_found", "model_not_supported",
    "model_terms_required", "OperationNotSupported", "organization_restricted", "permission_error",
    "PERMISSION_DENIED", "unavailable_model", "unknown_model",
})  # fmt: skip
_LACKING_CODES = frozenset({"unsupported_parameter", "unsupported_value", "wrong_api_format", "not_supported_error"})
_TOO_LONG_CODES = frozenset({ContextTooLong.CODE, "exceed_context_size_error", "context_window_exceeded"})
_CALLERS_CODE = re.compile(
    r"invalid_(?:type|value|image|base64|function|message|prompt|json|file|encrypted|request_message)\w*"
    r"|missing_required\w*|(?:string|array|integer|decimal|number|image|file|empty|object)_\w+"
    r"|content_\w+|data_inspection_failed|ResponsibleAIPolicyViolation"
)

# All that follow are matched with a message in lower case without its quotations.
_OUR_KEY = re.compile(
    r"(?:incorrect|invalid|missing|expired|revoked|no)\b[\w ,-]{0,20}\b(?:api[ _-]?(?:key|token)|x-api-key|credentials?"
    r"|authentication)"
    r"|(?:the |your |this |provided )*api[ _-]?(?:key|token)\b|this credential\b|unable to locate credentials"
    r"|authentication (?:fails|failed|error)"
)
_OUR_ACCOUNT = re.compile(
    # Who pays.
    r"(?:your |this |the )(?:\w+ ){0,2}(?:account|billing|credits?|organi[sz]ation|plan|project|quota|subscription"
    r"|team|tenant|workspace|usage limits?|api usage)\b"
    r"|(?:account|organi[sz]ation|project|subscription|team|tenant|workspace|billing|payment|arrearage|credits?"
    r"|invalid_payment_instrument|monthly spend\w*|spending limit|(?:free )?trial)\b"
    r"|(?:insufficient|not enough|no|out of) (?:account )?(?:credits?|balance|quota|funds)\b|quota exceeded"
    r"|you (?:have |'ve |don't |do not |need |must )?(?:reached|exceeded|run out|have (?:access|permission|enough)"
    r"|to (?:add|enable|purchase|upgrade|accept)|accept)\b"
    r"|(?:model )?use case details|this api method requires billing|gemini api free tier|the long context beta"
    # Where from, and what it may.
    r"|(?:user |this |the |your |unsupported )*(?:location|region|country|countries)\b"
    r"|(?:access|permission) (?:is |was )?(?:denied|forbidden|to)\b|(?:this |the )?operation (?:is )?not allowed"
    # What we ask in every request.
    r"|(?:the |unsupported |invalid |this )*api[ -]?version\b|anthropic-\w+\b|unexpected value\(s\) _ for the _ header"
    r"|as of transformers\b|(?:default )?(?:chat )?template (?:is )?not (?:found|defined)"
)
_OUR_MODEL = re.compile(
    r"(?:invalid|unknown|unavailable|no|missing|failed to load|unable to access|unexpected|invocation of)"
    r"(?: the)?(?: non-serverless| publisher)? (?:models?|deployment|engine)\b(?! (?:output|response))"
    r"|(?:the |this |your )?(?:requested |provided |specified |publisher )*(?:model|deployment|engine)\b.{0,160}?"
    r"(?:\bnot (?:exist|found|available|servable|active|deployed|permitted|allowed|registered|supported (?:by any|in))"
    r"|n't exist|unavailable|decommission|deprecated\b(?! for)|retired|removed|end of (?:its )?life|legacy|terms\b"
    r"|identifier is invalid|on-demand|enabled only|disabled|unloaded|chat ?completions?\b)"
    r"|[\w.:/@ -]{1,80} is not a valid model|[\w.:/@ -]{1,80} model not found|model: |you must provide a model"
    r"|\W*generatecontentrequest\.model|this action doesn't support the model"
    r"|the \w+ operation does not work|this is not a chat model"
)
_LACKING = re.compile(
    r"(?:is|are|was|were)(?:n't| not)(?: yet| currently)? (?:supported|enabled|available|permitted|allowed)\b"
    r"|\bdo(?:es)?(?: not|n't) support|\bnot (?:yet |currently )?supported"
    r"|only (?:supported|available) (?:by|for|in|with)"
    r"|unsupported (?:parameter|value|argument|field|feature|tool|content type)|is unsupported"
    r"|cannot find field|unknown (?:field|name|parameter|argument)"
    r"|unrecogni[sz]ed [\w ]{0,9}(?:argument|parameter|field)"
    r"|extra (?:inputs|fields)|extra_forbidden|additional properties|deprecated for this model|for this model\b"
    r"|this model supports at most|maximum allowed number of output tokens|exceeds the model limit"
    r"|not a multimodal model|requires --",
    re.I,
)
_CALLERS = re.compile(
    r"content (?:filter|policy|management)|usage (?:policy|policies|guidelines)|safety|blocked|inappropriate|flagged"
    r"|content exists risk"
    r"|invalid (?:value|type|role|json|image|tool|parameter|schema|content|base64|message|url|file)"
    r"|missing (?:required|field)"
    r"|field required|failed to deserialize|unknown variant|cannot unmarshal|malformed input|alternate\b"
    r"|last (?:message|role)|turn comes immediately|(?:must|should) (?:be|contain|have|start|end|include|not|match)\b"
    r"|at least one (?:message|content)|(?:could not|unable to|failed to) (?:process|decode|download|parse)[\w ]{0,20}"
    r"(?:image|file|audio|document)|image exceeds|out of range|(?:greater|less) than|supported range|validation error"
    r"|is blank|is empty|required key|start with a user message|same number of function calls"
)
# What no caller sends, nor has a hand in.
_NOT_A_CALLERS = re.compile(
    r"\b(?:api[ _-]?keys?|accounts?|billing|credits?|deployments?|headers?|licen[sc]es?|organi[sz]ations?|quotas?"
    r"|regions?|subscriptions?|tenants?|workspaces?)\b"
)
# The first sentence alone is read for what a denial is about: behind it stand accounts, keys and models.
_SENTENCE_END = re.compile(r"[.!;\n](?=\s|$)")
_FORBIDDEN = frozenset({403, 451})
# By a proxy of ours, of whoever asks.
_PROXY_DENIES = 407
# What a request refers to by its name or address, and what may not be there or not be ours to read.
_REFERRED_TO = re.compile(
    r"\b(?:assistants?|audios?|batch(?:es)?|buckets?|containers?|conversations?|documents?|files?|images?|objects?"
    r"|responses?|threads?|ur[il]s?|uploads?|vector[ _]stores?|videos?)\b"
)
# By itself, not in a model's name.
_FLAGGED = re.compile(
    r"(?<![\w/.-])(?:flagged|moderat(?:ion|ed)|safety|inappropriate|content (?:policy|policies|filter\w*|exists risk)"
    r"|(?:content|community|usage) guidelines|usage polic(?:y|ies))(?![\w/-])"
)
_FLAGGED_CODE = re.compile(r"content_(?:filter|policy)\w*|data_inspection_failed|ResponsibleAIPolicyViolation")
# OpenRouter's words for a model that lacks what a request asks for.
_NO_ENDPOINT = re.compile(
    r"no (?:allowed )?(?:endpoints?|providers?) (?:were )?(?:found|available) that (?:support|can handle)"
)
_TOO_DEAR = re.compile(r"\bor fewer max_tokens|\bcan only afford \d")
# Where a message begins with the place in the request that it is about.
_PATH = re.compile(
    r"\W{0,3}(?:generatecontentrequest\.)?(?:messages?|tools?|system|contents?|prompt|input|tool_choice|response_format"
    r"|temperature|top_[pk]|max_tokens|max_completion_tokens|stop|stop_sequences|stream|thinking|functions?|n)\b"
    r"[\w.\[\]-]*\W{0,2}(?::|must|should|is |are |cannot|has to)",
    re.I,
)
_SERVER_LACKS = re.compile(r"requires --|mmproj|started? (?:it )?(?:with|without) [`\"]?--", re.I)
# A request that is longer than the model's window; each group is the window.
_N = r"\(?(\d{1,9})"
_TOO_LONG = re.compile(
    rf"maximum context length(?: of [^\s]{{1,80}})?(?: is| of|:)?(?: only)? {_N}|context length (?:is|of) only {_N}"
    rf"|prompt is too long(?:: \d+(?: tokens > |, model maximum context length: )(\d{{1,9}}))?"
    rf"|exceeds? the maximum number of tokens allowed:? {_N}"
    rf"|maximum (?:input|prompt|model|(?:supported )?sequence) length (?:is|of)(?: just| only)? {_N}"
    rf"|exceeds? (?:the )?max(?:imum)? sequence length(?: {_N})?|\btoken limit exceeded\b|\d tokens\) is too long"
    rf"|exceed context limit: \d+ \+ \d+ > {_N}|configured limit of {_N}"
    rf"|context (?:window|length|size) (?:has been |was )?exceeded|context (?:window|length|size) of {_N}"
    rf"|exceeds? the (?:available |model's |maximum )*context (?:window|length|size)(?:(?: of|:)? {_N})?"
    rf"|longer than the (?:model's |maximum )*(?:context|model) (?:length|window)(?:(?: of|:)? {_N})?"
    rf"|too many tokens: total [^\d]{{0,100}}(\d{{1,9}})"
    rf"|too many (?:input )?tokens(?:\. max input tokens: (\d{{1,9}}))?"
    rf"|input (?:is )?too long\b(?:[^\n]{{0,80}}limit is (\d{{1,9}}))?"
    rf"|too large for model with (\d{{1,9}}) maximum context"
    rf"|current length is \d+ while limit is (\d{{1,9}})|must have less than (\d{{1,9}}) tokens"
    rf"|tokens \+ [`\w]{{1,40}} must be <= (\d{{1,9}})|n_ctx: (\d{{1,9}})|only supports up to (\d{{1,9}})"
    rf"|number of input tokens (?:exceeds|\d+ cannot exceed the total tokens limit (\d{{1,9}}))"
    rf"|model token limit: (\d{{1,9}})|range of input length should be \[1, (\d{{1,9}})\]"
    rf"|input length exceeds|expected maxlength: \d|reduce the length of (?:the |your )?(?:messages|prompt|input)"
    rf"|max_tokens must be at least 1, got -\d",
    re.I,
)  # fmt: skip
