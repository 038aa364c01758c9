"""The schemas of request logs and traces: gateways and tracing tools, Turnout's own log among them. Pure.

They follow LiteLLM (StandardLoggingPayload, spend logs), Langfuse (observations and scores of the blob export and of
the API), LangSmith (bulk export of runs), Helicone (request export), Arize Phoenix (spans dataframe, OpenInference),
Braintrust (logs) and OpenTelemetry (GenAI spans as OTLP JSON).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from turnout.logs.example import SIDES, Example, example_of_answer, first_tag, mean_grade
from turnout.logs.fields import NoPrompt, Record, field, first_field, mean_of, unpacked
from turnout.logs.values import UNIT, is_missing


def request_log(record: Record) -> Example:
    if is_missing(first_field(record, "messages", "prompt")):
        raise NoPrompt("no prompt: a cache hit, or logged without [log] content = true")
    side = str(record.get("tier", ""))
    return example_of_answer(
        first_field(record, "messages", "prompt"),
        side if side in SIDES else record.get("model"),
        usd=record.get("cost_usd"),
        answer=record.get("answer"),
        grade=record.get("quality"),
        group=first_field(record, "group", "endpoint"),
        id=record.get("id"),
        scale=UNIT,
    )


def feedback(record: Record) -> Example:
    return Example(id=record["request_id"], grades={"": record["quality"]}, scale=UNIT)


def litellm(record: Record) -> Example:
    return example_of_answer(
        record["messages"],
        record.get("model"),
        usd=first_field(record, "response_cost", "spend"),
        answer=record.get("response"),
        group=first_tag(record.get("request_tags")) or field(record, "metadata.user_api_key_alias"),
        id=first_field(record, "id", "request_id"),
        grade=first_field(record, "quality", "metadata.quality", "feedback"),
    )


def langfuse(record: Record) -> Example:
    return example_of_answer(
        record["input"],
        first_field(record, "provided_model_name", "model", "providedModelName"),
        usd=first_field(
            record, "total_cost", "totalCost", "cost_details.total", "calculated_total_cost", "calculatedTotalCost"
        ),
        answer=record.get("output"),
        group=first_field(record, "trace_name", "traceName") or first_tag(record.get("tags")),
        id=record.get("id"),
        grade=mean_grade(record.get("scores")),
    )


def langfuse_score(record: Record) -> Example:
    grade = record.get("value") if not is_missing(record.get("value")) else first_field(record, "string_value")
    about = first_field(record, "observation_id", "observationId", "trace_id", "traceId")
    return Example(id=about, grades={} if is_missing(grade) else {"": grade})


def langsmith(record: Record) -> Example:
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
        grade=mean_grade(record.get("feedback_stats")),
    )


def helicone(record: Record) -> Example:
    grade, scores = record.get("feedback_rating"), unpacked(record.get("scores"))
    if is_missing(grade) and isinstance(scores, Mapping):
        mean = mean_of(scores.values())
        # Helicone's scores are whole numbers, 0 to 100.
        grade = None if mean is None else f"{mean} %"
    return example_of_answer(
        record["request_body"],
        first_field(record, "request_model", "model", "response_body.model"),
        usd=first_field(record, "costUSD", "cost"),
        answer=record.get("response_body"),
        grade=grade,
        group=first_field(record, "request_properties.feature", "request_properties.Feature", "request_path"),
        id=record.get("request_id"),
    )


def phoenix(record: Record) -> Example:
    grade = mean_of(value for name, value in record.items() if name.startswith("eval.") and name.endswith(".score"))
    return example_of_answer(
        first_field(record, "attributes.llm.input_messages", "attributes.input.value"),
        first_field(record, "attributes.llm.model_name"),
        grade=grade,
        answer=record.get("attributes.output.value"),
        group=first_field(record, "attributes.metadata.feature", "name"),
        id=record.get("context.span_id"),
        usd=first_field(record, "attributes.llm.cost.total"),
    )


def braintrust(record: Record) -> Example:
    return example_of_answer(
        record["input"],
        field(record, "metadata.model"),
        usd=first_field(record, "metrics.cost", "metrics.estimated_cost"),
        answer=record.get("output"),
        grade=mean_grade(record.get("scores")),
        group=first_tag(record.get("tags")),
        id=record.get("id"),
    )


def otlp_spans(record: Record) -> Iterable[Any]:
    for resource in record.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                attributes = {item["key"]: _otlp_value(item.get("value")) for item in span.get("attributes") or ()}
                if "gen_ai.input.messages" in attributes or "gen_ai.prompt" in attributes:
                    yield {**attributes, "spanId": span.get("spanId")}


def _otlp_value(value: Any) -> Any:
    return next(iter(value.values()), None) if isinstance(value, Mapping) else value


def otel(record: Record) -> Example:
    return example_of_answer(
        first_field(record, "gen_ai.input.messages", "gen_ai.prompt"),
        first_field(record, "gen_ai.response.model", "gen_ai.request.model"),
        id=record.get("spanId"),
        answer=record.get("gen_ai.output.messages"),
        group=first_field(record, "turnout.endpoint", "gen_ai.agent.name"),
        grade=first_field(record, "gen_ai.evaluation.score.value"),
    )
