"""The schemas of request logs and traces: gateways and tracing tools, Turnout's own log among them. Pure.

They follow LiteLLM (StandardLoggingPayload, spend logs), Langfuse (observations and scores of the blob export and of
the API), LangSmith (bulk export of runs), Helicone (request export), Arize Phoenix (spans dataframe, OpenInference)
and Braintrust (logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.logs.example import SIDES, Example, RecordKind, example_of_answer, first_tag, scores_of
from turnout.logs.fields import LogRecord, field, first_field, nested, unpack_json
from turnout.logs.values import is_missing, number

# What stands where a prompt was, if LiteLLM is told to log none.
_REDACTED = "redacted-by-litellm"


def request_log(record: LogRecord) -> Example:
    prompt = first_field(record, "messages", "prompt")
    side = str(record.get("tier", ""))
    return example_of_answer(
        prompt,
        side if side in SIDES else record.get("model"),
        usd=record.get("cost_usd"),
        answer=record.get("answer"),
        grade=record.get("quality"),
        group=first_field(record, "group", "endpoint"),
        id=record.get("id"),
        no_prompt="no prompt: a cache hit, or logged without [log] content = true" if prompt is None else "",
    )


def feedback(record: LogRecord) -> Example:
    return Example(id=record["request_id"], scores={"": record["quality"]})


def litellm(record: LogRecord) -> Example:
    # Spend logs hold the prompt in the one or in the other, or, unless it is asked for, in neither.
    prompt = first_field(record, "messages", "proxy_server_request.messages", "proxy_server_request.body.messages",
                         "proxy_server_request.input", "proxy_server_request.body.input")  # fmt: skip
    if record.get("status") == "failure":
        raise ValueError("the call failed: there is no answer whose quality it could tell")
    redacted = _is_redacted(prompt)
    no_prompt = "no prompt: logged without store_prompts_in_spend_logs" if prompt is None else ""
    return example_of_answer(
        prompt,
        record.get("model"),
        no_prompt="no prompt: redacted by LiteLLM (turn_off_message_logging)" if redacted else no_prompt,
        usd=first_field(record, "response_cost", "spend"),
        answer=None if redacted else record.get("response"),
        group=first_tag(record.get("request_tags")) or field(record, "metadata.user_api_key_alias"),
        id=first_field(record, "id", "request_id"),
        grade=first_field(record, "quality", "metadata.quality", "metadata.score", "feedback"),
    )


def _is_redacted(prompt: Any) -> bool:
    messages = unpack_json(prompt) if isinstance(prompt, str) and _REDACTED in prompt else prompt
    if isinstance(messages, list):
        return any(isinstance(message, Mapping) and message.get("content") == _REDACTED for message in messages)
    return isinstance(messages, str) and messages.strip() == _REDACTED


def langfuse(record: LogRecord) -> Example:
    return example_of_answer(
        record["input"],
        first_field(record, "provided_model_name", "model", "providedModelName"),
        usd=first_field(
            record, "total_cost", "totalCost", "cost_details.total", "calculated_total_cost", "calculatedTotalCost"
        ),
        answer=record.get("output"),
        group=first_field(record, "trace_name", "traceName") or first_tag(record.get("tags")),
        id=record.get("id"),
        scores=scores_of(record.get("scores")),
    )


def langfuse_trace(record: LogRecord) -> Example:
    return example_of_answer(
        record["input"],
        first_field(record, "model", "metadata.model", "metadata.model_name"),
        usd=first_field(record, "totalCost", "total_cost"),
        answer=record.get("output"),
        group=first_field(record, "name") or first_tag(record.get("tags")),
        id=record.get("id"),
        scores=scores_of(record.get("scores")),
    )


def langfuse_score(record: LogRecord) -> Example:
    about = first_field(record, "observation_id", "observationId", "trace_id", "traceId")
    grade = first_field(record, "value", "string_value", "stringValue")
    if str(first_field(record, "data_type", "dataType")).upper() == "BOOLEAN" and grade in (0, 1):
        grade = bool(grade)
    return Example(id=about, scores={} if is_missing(grade) else {str(record.get("name") or ""): grade})


def langsmith(record: LogRecord) -> Example:
    model = first_field(
        record, "extra.metadata.ls_model_name", "extra.invocation_params.model", "extra.invocation_params.model_name"
    )
    return example_of_answer(
        record["inputs"],
        model,
        usd=record.get("total_cost"),
        answer=record.get("outputs"),
        id=record.get("id"),
        group=first_field(record, "extra.metadata.feature", "name"),
        scores=langsmith_scores(record),
    )


def langsmith_scores(record: LogRecord) -> dict[str, Any]:
    return scores_of(record.get("feedback_stats"))


def helicone(record: LogRecord) -> Example:
    rating = first_field(record, "feedback_rating", "feedback.rating")
    scores = {} if rating is not None else scores_of(_helicone_scores(unpack_json(record.get("scores"))))
    return example_of_answer(
        record["request_body"],
        first_field(record, "request_model", "model", "response_body.model"),
        usd=first_field(record, "costUSD", "cost_usd", "cost"),
        answer=record.get("response_body"),
        grade=rating,
        scores=scores,
        from_zero_to_hundred=bool(scores),
        group=first_field(
            record,
            "request_properties.feature",
            "request_properties.Feature",
            "properties.feature",
            "properties.Feature",
            "request_path",
        ),
        id=record.get("request_id"),
    )


def _helicone_scores(scores: Any) -> dict[str, Any]:
    """By name; the truth values as such, which Helicone writes as 0 and 1 under a name that ends in _BOOLEAN."""
    found: dict[str, Any] = {}
    for name, score in scores.items() if isinstance(scores, Mapping) else ():
        value = score.get("value") if isinstance(score, Mapping) else score
        is_truth = name.endswith(_BOOLEAN) and not is_missing(value)
        found[name.removesuffix(_BOOLEAN)] = bool(number(value, "the score")) if is_truth else score
    return found


_BOOLEAN = "-hcone-bool"


def phoenix_scores(record: LogRecord) -> dict[str, Any]:
    scores = [
        {"name": name[len("eval.") : -len(".score")], "value": value}
        for name, value in record.items()
        if name.startswith("eval.") and name.endswith(".score")
    ]
    annotations = first_field(record, "annotations", "span_annotations")
    return scores_of([*scores, *(annotations if isinstance(annotations, list) else ())])


def phoenix(record: LogRecord) -> Example:
    if isinstance(attributes := unpack_json(record.get("attributes")), Mapping):
        record = {**record, "attributes": nested(attributes)}
    return example_of_answer(
        first_field(record, "attributes.llm.input_messages", "attributes.input.value"),
        first_field(record, "attributes.llm.model_name"),
        scores=phoenix_scores(record),
        answer=first_field(record, "attributes.output.value"),
        group=first_field(record, "attributes.metadata.feature", "name"),
        id=first_field(record, "context.span_id"),
        usd=first_field(record, "attributes.llm.cost.total"),
    )


def braintrust(record: LogRecord) -> Example:
    return example_of_answer(
        record["input"],
        field(record, "metadata.model"),
        usd=first_field(record, "metrics.cost", "metrics.estimated_cost"),
        answer=record.get("output"),
        scores=scores_of(record.get("scores")),
        group=first_tag(record.get("tags")),
        id=record.get("id"),
    )


# Kinds of records, by what each tool writes of them.
_NO_CHAT = ("embedding", "image", "transcription", "speech", "moderation", "rerank", "ocr", "vector_store", "search")


def litellm_kind(record: LogRecord) -> RecordKind:
    return "other" if any(word in str(record.get("call_type")) for word in _NO_CHAT) else "call"


def langsmith_kind(record: LogRecord) -> RecordKind:
    kinds: dict[str, RecordKind] = {"llm": "call", "chain": "around"}
    return kinds.get(str(record.get("run_type")), "other")


def langfuse_kind(record: LogRecord) -> RecordKind:
    return "call" if str(record.get("type")).upper() == "GENERATION" else "other"


def phoenix_kind(record: LogRecord) -> RecordKind:
    kinds: dict[str, RecordKind] = {"LLM": "call", "CHAIN": "around", "AGENT": "around", "UNKNOWN": "around"}
    return kinds.get(str(record.get("span_kind")).upper(), "other")


def braintrust_kind(record: LogRecord) -> RecordKind:
    kinds: dict[str, RecordKind] = {"": "call", "llm": "call", "task": "around", "eval": "around", "function": "around"}
    return kinds.get(str(field(record, "span_attributes.type") or ""), "other")
