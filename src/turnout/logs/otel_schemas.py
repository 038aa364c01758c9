"""OpenTelemetry's GenAI spans and events, as OTLP JSON and as exporters write them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from turnout.logs.example import Example, RecordKind, example_of_answer, scores_of
from turnout.logs.fields import LogRecord, field, first_field, nested, unpack_json
from turnout.logs.values import is_missing


def otlp_spans(record: LogRecord) -> Iterable[Any]:
    for resource in first_field(record, "resourceSpans", "resource_spans", "resourceLogs") or ():
        for scope in first_field(resource, *_SCOPES) or ():
            for span in scope.get("spans") or scope.get("logRecords") or ():
                attributes = _otlp_attributes(span)
                for event in span.get("events") or ():
                    attributes |= _of_event(event.get("name"), _otlp_attributes(event), attributes)
                if any(name.startswith(_PROMPTS) for name in attributes):
                    yield {**attributes, "spanId": first_field(span, "spanId", "span_id")}


_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "scopeLogs")
# Under these a span holds its prompt; the last as Vercel's AI SDK writes it.
_PROMPTS = ("gen_ai.input.messages", "gen_ai.prompt", "ai.prompt")


def _otlp_attributes(holder: LogRecord) -> dict[str, Any]:
    return {item["key"]: _otlp_value(item.get("value")) for item in holder.get("attributes") or ()}


def _otlp_value(value: Any) -> Any:
    """The value of `{"stringValue": ...}`; lists and objects, which hold such values each, as what they are."""
    if not isinstance(value, Mapping):
        return value
    if isinstance(listed := first_field(value, "arrayValue.values", "array_value.values"), list):
        return [_otlp_value(each) for each in listed]
    if isinstance(pairs := first_field(value, "kvlistValue.values", "kvlist_value.values"), list):
        return {str(pair.get("key")): _otlp_value(pair.get("value")) for pair in pairs if isinstance(pair, Mapping)}
    return next(iter(value.values()), None)


def _of_event(name: Any, attributes: dict[str, Any], before: LogRecord) -> dict[str, Any]:
    """What an event of a span tells, under the names of attributes: older conventions log each message as one."""
    kind = str(name)
    if kind in ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message"):
        said = {"role": kind.split(".")[1], "content": attributes.get("content")}
        return {"gen_ai.prompt": [*(before.get("gen_ai.prompt") or ()), said]}
    if kind == "gen_ai.choice":
        return {"gen_ai.output.messages": attributes.get("message", attributes.get("content"))}
    if kind == "gen_ai.evaluation.result":
        return {_EVALUATIONS: [*(before.get(_EVALUATIONS) or ()), _evaluation(attributes)]}
    return attributes if kind in _WHOLE_EVENTS else {}


def _evaluation(attributes: LogRecord) -> dict[str, Any]:
    """The name and the score of one of several evaluations; its label where it has no score."""
    score = first_field(attributes, "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label")
    return {"name": attributes.get("gen_ai.evaluation.name"), "value": score}


# Their attributes are as good as the span's own.
_WHOLE_EVENTS = ("gen_ai.client.inference.operation.details", "gen_ai.content.prompt", "gen_ai.content.completion")
# Under this name a span holds what its events say of its answer.
_EVALUATIONS = "turnout.evaluations"


def otel(record: LogRecord) -> Example:
    if isinstance(attributes := unpack_json(record.get("attributes")), Mapping):
        span = first_field(record, "spanId", "span_id", "context.span_id")
        record = {"spanId": span, **attributes}
    by_path = nested({name: value for name, value in record.items() if name.startswith("gen_ai.")})
    prompt = first_field(record, *_PROMPTS[:2], "ai.prompt.messages", "ai.prompt") or field(by_path, "gen_ai.prompt")
    return example_of_answer(
        _with_system(prompt, unpack_json(record.get("gen_ai.system_instructions"))),
        first_field(record, "gen_ai.response.model", "gen_ai.request.model"),
        id=record.get("spanId"),
        no_prompt="no prompt: the span was recorded without its content" if prompt is None else "",
        answer=first_field(record, "gen_ai.output.messages", "gen_ai.completion", "ai.response.text")
        or field(by_path, "gen_ai.completion.0.content"),
        group=first_field(record, "turnout.endpoint", "gen_ai.agent.name"),
        grade=first_field(record, "gen_ai.evaluation.score.value", "quality", "score"),
        scores=scores_of(record.get(_EVALUATIONS)),
        usd=first_field(record, "gen_ai.usage.cost", "gen_ai.usage.total_cost"),
    )


def _with_system(prompt: Any, system: Any) -> Any:
    """The prompt's object with the system prompt, which the conventions hold in parts of its own."""
    if is_missing(system):
        return prompt
    return {"messages": prompt, "system": {"parts": system} if isinstance(system, list) else system}


def otel_kind(record: LogRecord) -> RecordKind:
    attributes = unpack_json(record.get("attributes"))
    operation = (attributes if isinstance(attributes, Mapping) else record).get("gen_ai.operation.name")
    return "other" if operation in ("embeddings", "execute_tool", "create_agent", "retrieval") else "call"
