"""Every name that telemetry uses, in one place. Names are data: the GenAI conventions still move.

Sources: open-telemetry/semantic-conventions-genai ("latest"); open-telemetry/semantic-conventions 1.41
("v1.41").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SCOPE: Final = "turnout"

# Spans.
ROUTE_SPAN: Final = "turnout.route"
SUBMIT_SPAN: Final = "turnout.submit"

# The decision and the outcome, on the route span.
SCORE: Final = "turnout.score"
EXPECTED_GAIN: Final = "turnout.expected_gain"
THRESHOLD: Final = "turnout.threshold"
NOVELTY: Final = "turnout.novelty"
TIER: Final = "turnout.tier"
MODEL: Final = "turnout.model"
REASON: Final = "turnout.reason"
CANDIDATES: Final = "turnout.candidates"
SCORER_VERSION: Final = "turnout.scorer_version"
SWITCH_USD: Final = "turnout.switch.cost_usd"
SWITCH_GAIN_USD: Final = "turnout.switch.gain_usd"
VERDICT: Final = "turnout.cascade.verdict"
VERDICT_SCORE: Final = "turnout.cascade.score"
VERDICT_THRESHOLD: Final = "turnout.cascade.threshold"
ESCALATION_PROPENSITY: Final = "turnout.cascade.propensity"
SECOND_AGREES: Final = "turnout.cascade.second_agrees"
SECOND_SAMPLE: Final = "turnout.cascade.second_sample"
CACHE: Final = "turnout.cache"
COST_USD: Final = "turnout.cost_usd"
OWN_SECONDS: Final = "turnout.own_seconds"
INFERENCE_SECONDS: Final = "turnout.inference_seconds"
WAITED_SECONDS: Final = "turnout.waited_seconds"
STREAMED: Final = "turnout.streamed"
ATTEMPTS: Final = "turnout.attempts"
REQUEST_ID: Final = "turnout.request_id"
JOB: Final = "turnout.job"
ENDPOINT: Final = "turnout.endpoint"

SKIPPED: Final = "turnout.skipped"

# Events of the process, not of one request.
# Refused before it was routed: no outcome tells of it.
EVENT_REFUSED: Final = "turnout.refused"
EVENT_STORE_LOST: Final = "turnout.store.lost"
EVENT_STORE_FOUND: Final = "turnout.store.found"
STORE_REASON: Final = "turnout.store.reason"
EVENT_BUDGET_ALERT: Final = "turnout.budget.alert"
BUDGET_POLICY: Final = "turnout.budget.policy"
BUDGET_ALERT: Final = "turnout.budget.alert.kind"
BUDGET_SHARE: Final = "turnout.budget.share"
EVENT_SEMANTIC_CHECK: Final = "turnout.semantic.check"
CHECK_AGREES: Final = "turnout.semantic.check.agrees"
CHECK_DECIDED: Final = "turnout.semantic.check.decided"
CHECK_LEARNS: Final = "turnout.semantic.check.learns"
EVENT_SEMANTIC_EMBEDDING: Final = "turnout.semantic.embedding"
EMBEDDING_TEXTS: Final = "turnout.semantic.embedding.texts"
EVENT_DRIFT: Final = "turnout.drift"
DRIFT_DISTANCE: Final = "turnout.drift.distance"
NOVEL_SHARE: Final = "turnout.drift.novel_share"
DRIFTED: Final = "turnout.drift.drifted"
EVENT_DRIFT_MEASURED: Final = "turnout.drift.measured"
EVENT_JOB_ENDED: Final = "turnout.job.ended"
JOB_STATUS: Final = "turnout.job.status"
JOB_WAIT: Final = "turnout.job.wait"
JOB_RUN: Final = "turnout.job.run"

# A call that no request made, and what it was for.
EVENT_SIDE_CALL: Final = "turnout.side_call"
SIDE_CALL_FOR: Final = "turnout.side_call.for"
COST_NANO_USD: Final = "turnout.cost_nano_usd"

# Events, on the span of the attempt or of the request, and their attributes.
CIRCUIT_CHANGED: Final = "turnout.circuit.changed"
CIRCUIT_PAUSED: Final = "turnout.circuit.paused"
RETRIED: Final = "turnout.retried"
CANDIDATE_SKIPPED: Final = "turnout.candidate.skipped"
USAGE_DOUBTED: Final = "turnout.usage.doubted"
CIRCUIT: Final = "turnout.circuit"
STATE: Final = "turnout.circuit.state"
OLD_STATE: Final = "turnout.circuit.old_state"
PAUSE_SECONDS: Final = "turnout.circuit.pause_seconds"
WAIT_SECONDS: Final = "turnout.retry.wait_seconds"
SKIP_REASON: Final = "turnout.skip.reason"
DROPPED_PARAMS: Final = "turnout.dropped_params"
USAGE_FAULT: Final = "turnout.usage.fault"

# The attempt, on its CLIENT span.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

# Metrics. Of our own; then of an attempt, by today's conventions and by those of v1.41.
REQUESTS: Final = "turnout.requests"
COST: Final = "turnout.cost"
OWN_DURATION: Final = "turnout.own.duration"
INFERENCE_DURATION: Final = "gen_ai.client.inference.duration"
INFERENCE_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"
INFERENCE_INPUT: Final = "gen_ai.client.inference.usage.input_tokens"
INFERENCE_OUTPUT: Final = "gen_ai.client.inference.usage.output_tokens"
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
OPERATION_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"
TOKEN_TYPE: Final = "gen_ai.token.type"
# Counters that are not named as the event that they count.
COUNTER_NAMES: Final[Mapping[str, str]] = {EVENT_BUDGET_ALERT: "turnout.budget.alerts"}
# Events that are timed: their attributes, each a histogram of seconds of its own name, and its description.
TIMED: Final[Mapping[str, Mapping[str, str]]] = {
    EVENT_JOB_ENDED: {JOB_WAIT: "From a job's acceptance to its last run", JOB_RUN: "A job's last run"},
}
# Events that measure: their attributes, each a gauge of its own name, and its description. They happen all the
# time, so no span holds them.
GAUGES: Final[Mapping[str, Mapping[str, str]]] = {
    EVENT_DRIFT_MEASURED: {
        DRIFT_DISTANCE: "How far the last scores are from those of the training logs",
        NOVEL_SHARE: "The share of the last requests that are unlike the training logs",
    }
}
# Bucket bounds: the conventions' of seconds; ours of a library's own seconds, and of a score.
SECONDS_BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
OWN_SECONDS_BOUNDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0)
SCORE_BOUNDS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

# OpenAI's parameter -> its attribute.
REQUEST_PARAMETERS: Final[Mapping[str, str]] = {
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "dimensions": "gen_ai.embeddings.dimension.count",
    "reasoning_effort": "gen_ai.request.reasoning.level",
}

# What v1.41 does not have: attribute -> its older name, or None where there was none.
V1_41_NAMES: Final[Mapping[str, str | None]] = {
    REQUEST_STREAM: None,
    REASONING_TOKENS: None,
    FIRST_CHUNK: None,
    "gen_ai.request.reasoning.level": None,
}

# litellm's prefix -> the convention's provider name, where they differ.
PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def provider_name(model: str) -> str:
    """The convention's provider name of a model as litellm names it: `openai/gpt-4o` is `openai`'s."""
    prefix, slash, _ = model.partition("/")
    if not slash:
        return "anthropic" if model.startswith("claude") else "openai"
    return PROVIDERS.get(prefix, prefix)


def request_model(model: str) -> str:
    """The model's own name: litellm's without the provider."""
    return model.partition("/")[2] or model
