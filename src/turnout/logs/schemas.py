"""The table of schemas that logs come in: how each is known, and how its records are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from turnout.logs import battles
from turnout.logs import dataset_schemas as datasets
from turnout.logs import otel_schemas as spans
from turnout.logs import trace_schemas as traces
from turnout.logs.example import Schema
from turnout.logs.fields import unpack_json
from turnout.logs.names import PROMPTS, column_named
from turnout.records import CacheState

# What a request log says of where an answer came from.
_CACHE_STATES = frozenset(get_args(CacheState))
# What Langfuse calls the parts of a trace.
_OBSERVATIONS = frozenset(
    {"GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"}
)
# Every GenAI span has it.
_GEN_AI = "gen_ai.request.model"

SCHEMAS = (
    Schema(
        name="feedback",
        title="Turnout's feedback",
        signs=("request_id", "quality"),
        example=traces.feedback,
        only=lambda record: "prompt" not in record and "messages" not in record,
    ),
    Schema(
        name="turnout",
        title="Turnout's request log",
        signs=("id", "cache"),
        example=traces.request_log,
        only=lambda record: record.get("cache") in _CACHE_STATES and "cheap_quality" not in record,
    ),
    Schema(
        name="litellm",
        title="LiteLLM's StandardLoggingPayload",
        signs=("call_type", "messages", "response_cost"),
        example=traces.litellm,
        kind=traces.litellm_kind,
    ),
    Schema(
        name="litellm",
        title="LiteLLM's spend logs",
        signs=("call_type", "messages", "spend"),
        example=traces.litellm,
        kind=traces.litellm_kind,
    ),
    Schema(
        name="litellm",
        title="LiteLLM's spend logs",
        signs=("call_type", "proxy_server_request", "spend"),
        example=traces.litellm,
        kind=traces.litellm_kind,
    ),
    Schema(
        name="langfuse-scores",
        title="Langfuse's scores",
        signs=("data_type", "value", "trace_id"),
        example=traces.langfuse_score,
    ),
    Schema(
        name="langfuse-scores",
        title="Langfuse's scores",
        signs=("dataType", "value", "traceId"),
        example=traces.langfuse_score,
    ),
    Schema(
        name="langfuse",
        title="Langfuse's observations",
        signs=("trace_id", "type", "input"),
        example=traces.langfuse,
        kind=traces.langfuse_kind,
        only=lambda record: str(record.get("type")).upper() in _OBSERVATIONS,
    ),
    Schema(
        name="langfuse",
        title="Langfuse's observations",
        signs=("traceId", "type", "input"),
        example=traces.langfuse,
        kind=traces.langfuse_kind,
        only=lambda record: str(record.get("type")).upper() in _OBSERVATIONS,
    ),
    Schema(
        name="langfuse",
        title="Langfuse's traces",
        signs=("timestamp", "input", "output", "scores"),
        example=traces.langfuse_trace,
        only=lambda record: "root_span_id" not in record and "run_type" not in record,
    ),
    Schema(
        name="langsmith",
        title="LangSmith's runs",
        signs=("run_type", "inputs", "outputs"),
        example=traces.langsmith,
        kind=traces.langsmith_kind,
        scores=traces.langsmith_scores,
    ),
    Schema(
        name="helicone",
        title="Helicone's requests",
        signs=("request_body", "response_body", "request_id"),
        example=traces.helicone,
    ),
    Schema(
        name="phoenix",
        title="Phoenix' spans",
        signs=("context.span_id", "span_kind"),
        example=traces.phoenix,
        kind=traces.phoenix_kind,
        scores=traces.phoenix_scores,
    ),
    Schema(
        name="braintrust",
        title="Braintrust's logs",
        signs=("root_span_id", "input", "scores"),
        example=traces.braintrust,
        kind=traces.braintrust_kind,
    ),
    Schema(
        name="braintrust",
        title="Braintrust's table",
        signs=("input", "output", "expected", "scores", "metadata.model"),
        example=traces.braintrust,
    ),
    Schema(
        name="openai-batch",
        title="OpenAI's batch input",
        signs=("custom_id", "method", "body"),
        example=datasets.openai_batch,
        kind=datasets.openai_batch_kind,
    ),
    Schema(
        name="openai-stored",
        title="OpenAI's stored completions",
        signs=("object", "choices", "messages"),
        example=datasets.openai_stored,
    ),
    Schema(
        name="openai-preference",
        title="OpenAI's preference pairs",
        signs=("input.messages", "preferred_output"),
        example=datasets.openai_preference,
    ),
    Schema(name="openai-evals", title="OpenAI's eval items", signs=("item",), example=datasets.openai_eval),
    Schema(name="openai-evals", title="OpenAI's eval samples", signs=("input", "ideal"), example=datasets.openai_eval),
    Schema(
        name="openai-evals",
        title="OpenAI's eval results",
        signs=("datasource_item", "sample.model", "results"),
        example=datasets.openai_eval_output,
    ),
    Schema(
        name="arena",
        both_answers=True,
        title="Arena's battles",
        signs=(),
        example=battles.battle,
        only=battles.is_battle,
    ),
    Schema(
        name="preference",
        both_answers=True,
        title="chosen and rejected answers",
        signs=(),
        example=battles.chosen_and_rejected,
        only=battles.names_preferred,
    ),
    Schema(
        name="preference",
        title="chosen and rejected answers of models without names",
        signs=("chosen", "rejected"),
        example=battles.chosen_and_rejected_of_nobody,
        only=lambda record: column_named(record, PROMPTS) is None,
    ),
    Schema(
        name="routellm",
        both_answers=True,
        title="RouteLLM's GPT-4 judgements",
        signs=("prompt", "mixtral_score"),
        example=datasets.routellm,
    ),
    Schema(
        name="routerbench",
        both_answers=True,
        title="RouterBench",
        signs=("sample_id", "prompt", "eval_name"),
        example=datasets.routerbench,
        only=lambda record: any(name.endswith("|total_cost") for name in record),
    ),
    Schema(
        name="promptfoo",
        title="promptfoo's results",
        signs=("results",),
        example=datasets.promptfoo,
        records=datasets.promptfoo_results,
        only=datasets.is_promptfoo_document,
    ),
    Schema(
        name="promptfoo",
        both_answers=True,
        title="promptfoo's table",
        signs=(),
        example=datasets.promptfoo_row,
        only=datasets.is_promptfoo_row,
    ),
    Schema(
        name="promptfoo",
        title="promptfoo's results",
        signs=("testIdx", "provider", "prompt"),
        example=datasets.promptfoo,
    ),
    Schema(
        name="promptfoo",
        title="promptfoo's results",
        signs=("vars", "provider", "prompt", "success"),
        example=datasets.promptfoo,
    ),
    # As JSON has it, and as Python's and Go's exporters write it.
    *(
        Schema(
            name="otel",
            title="OpenTelemetry's GenAI spans",
            signs=(sign,),
            example=spans.otel,
            kind=spans.otel_kind,
            records=spans.otlp_spans,
        )
        for sign in ("resourceSpans", "resource_spans", "resourceLogs")
    ),
    Schema(
        name="otel",
        title="OpenTelemetry's GenAI spans",
        signs=(),
        example=spans.otel,
        kind=spans.otel_kind,
        only=lambda record: any(
            _GEN_AI in names for names in (record, unpack_json(record.get("attributes"))) if isinstance(names, Mapping)
        ),
    ),
)
