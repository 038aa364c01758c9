"""The schemas of logs: how each names the question, who answered, how well and at what cost.

A schema turns one record of a file into the examples that it holds. They follow LiteLLM (StandardLoggingPayload),
Langfuse (observations and scores of the blob export), LangSmith (bulk export of runs), Helicone (request export), Arize
Phoenix (spans dataframe, OpenInference), Braintrust (logs), OpenAI (batch input, stored completions, evals), LMSYS
Arena, RouteLLM, RouterBench, promptfoo and OpenTelemetry (GenAI spans as OTLP JSON).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, get_args

from turnout.logs.fields import (
    NoPrompt,
    Record,
    answer_of_completion,
    field,
    first_field,
    mean_of,
    prompt_and_answer,
    unpacked,
)
from turnout.logs.values import UNIT, Scale, is_missing, number
from turnout.records import CacheState

# The names of the tiers where a log tells them by themselves.
SIDES = ("cheap", "expensive")


@dataclass(slots=True, kw_only=True)
class Example:
    """One question of a log, and what it holds of the answers, by model (or by side, `cheap` and `expensive`).

    prompt: a text or OpenAI's messages; None in a file of scores alone. grades: as the log writes them, on `scale`
    where the schema fixes one. id: what scores of another file name it by. record: as it was read.
    """

    prompt: Any = None
    grades: dict[str, Any] = dataclass_field(default_factory=dict)
    usd: dict[str, Any] = dataclass_field(default_factory=dict)
    answers: dict[str, Any] = dataclass_field(default_factory=dict)
    group: Any = None
    id: Any = None
    weight: Any = None
    scale: Scale | None = None
    record: Record = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """name: as `--from` takes it. title: whose format it is. signs: fields of which a record of it has all.

    records: the records within a record (a document that holds a list, a batch of spans). only: what else must hold.
    """

    name: str
    title: str
    signs: tuple[str, ...]
    example: Callable[[Record], Example]
    records: Callable[[Record], Iterable[Any]] = lambda record: (record,)
    only: Callable[[Record], bool] = lambda record: True

    def matches(self, record: Record) -> bool:
        """Whether this record is of this schema, beyond doubt."""
        return all(field(record, sign) is not None or sign in record for sign in self.signs) and self.only(record)


def _answered(
    prompt: Any, model: Any, *, grade: Any = None, usd: Any = None, answer: Any = None, **more: Any
) -> Example:
    """The example of one model's answer."""
    asked, last = prompt_and_answer(prompt)
    name = "" if is_missing(model) else str(model)
    text = answer_of_completion(answer) if not is_missing(answer) else last
    return Example(
        prompt=asked,
        grades={} if is_missing(grade) else {name: grade},
        usd={} if is_missing(usd) else {name: usd},
        answers={} if text is None else {name: text},
        **more,
    )


def _first_tag(value: Any) -> Any:
    value = unpacked(value)
    return value[0] if isinstance(value, list) and value else value if isinstance(value, str) else None


def _litellm(record: Record) -> Example:
    return _answered(
        record["messages"],
        record.get("model"),
        usd=record.get("response_cost"),
        answer=record.get("response"),
        group=_first_tag(record.get("request_tags")) or field(record, "metadata.user_api_key_alias"),
        id=record.get("id"),
        grade=first_field(record, "quality", "metadata.quality", "feedback"),
    )


def _langfuse(record: Record) -> Example:
    return _answered(
        record["input"],
        first_field(record, "provided_model_name", "model", "providedModelName"),
        usd=first_field(record, "total_cost", "cost_details.total", "calculated_total_cost", "totalCost"),
        answer=record.get("output"),
        group=first_field(record, "trace_name", "traceName") or _first_tag(record.get("tags")),
        id=record.get("id"),
        grade=_named_grade(record.get("scores")),
    )


def _named_grade(scores: Any) -> Any:
    """Of a list of scores, or of scores by name, the mean."""
    scores = unpacked(scores)
    if isinstance(scores, Mapping):
        return mean_of(
            value.get("avg", value.get("score")) if isinstance(value, Mapping) else value for value in scores.values()
        )
    if isinstance(scores, list):
        return mean_of(score.get("value", score.get("score")) for score in scores if isinstance(score, Mapping))
    return None


def _langfuse_score(record: Record) -> Example:
    return Example(id=first_field(record, "observation_id", "observationId", "trace_id"), grades={"": record["value"]})


def _feedback(record: Record) -> Example:
    return Example(id=record["request_id"], grades={"": record["quality"]}, scale=UNIT)


def _langsmith(record: Record) -> Example:
    model = first_field(
        record, "extra.metadata.ls_model_name", "extra.invocation_params.model", "extra.invocation_params.model_name"
    )
    return _answered(
        record["inputs"],
        model,
        usd=record.get("total_cost"),
        answer=record.get("outputs"),
        id=record.get("id"),
        group=first_field(record, "extra.metadata.feature", "name"),
        grade=_named_grade(record.get("feedback_stats")),
    )


def _helicone(record: Record) -> Example:
    grade, scores = record.get("feedback_rating"), unpacked(record.get("scores"))
    if is_missing(grade) and isinstance(scores, Mapping):
        mean = mean_of(scores.values())
        # Helicone's scores are whole numbers, 0 to 100.
        grade = None if mean is None else f"{mean} %"
    return _answered(
        record["request_body"],
        first_field(record, "request_model", "model", "response_body.model"),
        usd=first_field(record, "costUSD", "cost"),
        answer=record.get("response_body"),
        grade=grade,
        group=first_field(record, "request_properties.feature", "request_properties.Feature", "request_path"),
        id=record.get("request_id"),
    )


def _phoenix(record: Record) -> Example:
    grade = mean_of(value for name, value in record.items() if name.startswith("eval.") and name.endswith(".score"))
    return _answered(
        first_field(record, "attributes.llm.input_messages", "attributes.input.value"),
        first_field(record, "attributes.llm.model_name"),
        grade=grade,
        answer=record.get("attributes.output.value"),
        group=first_field(record, "attributes.metadata.feature", "name"),
        id=record.get("context.span_id"),
        usd=first_field(record, "attributes.llm.cost.total"),
    )


def _braintrust(record: Record) -> Example:
    return _answered(
        record["input"],
        field(record, "metadata.model"),
        usd=first_field(record, "metrics.cost", "metrics.estimated_cost"),
        answer=record.get("output"),
        grade=_named_grade(record.get("scores")),
        group=_first_tag(record.get("tags")),
        id=record.get("id"),
    )


def _openai_batch(record: Record) -> Example:
    return _answered(field(record, "body.messages") or field(record, "body.input"), None, id=record.get("custom_id"))


def _openai_stored(record: Record) -> Example:
    return _answered(
        record["messages"],
        record.get("model"),
        answer={"choices": record["choices"]},
        id=record.get("id"),
        group=first_field(record, "metadata.feature", "metadata.endpoint"),
    )


def _openai_preference(record: Record) -> Example:
    # Which answer is the better one is told, but not whose it is.
    return _answered(field(record, "input.messages"), None)


def _openai_eval(record: Record) -> Example:
    return _answered(first_field(record, "item.input", "item.question", "item.prompt", "input"), None)


def _arena(record: Record) -> Example:
    asked, _ = prompt_and_answer(first_field(record, "conversation_a", "prompt"))
    one, other = str(record["model_a"]), str(record["model_b"])
    if one == other:
        raise ValueError("both answers are of one model")
    return Example(
        prompt=asked,
        grades=dict(zip((one, other), _winner_grades(record), strict=True)),
        scale=UNIT,
        id=first_field(record, "question_id", "id"),
        group=field(record, "category"),
    )


def _winner_grades(record: Record) -> tuple[float, float]:
    """Each side's grade: a win 1, a loss 0, a tie a half each, both bad none."""
    if is_missing(record.get("winner")):
        columns = ("winner_model_a", "winner_model_b", "winner_tie")
        won = next(
            (name.removeprefix("winner_") for name in columns if str(record.get(name)) in ("1", "1.0", "True")), ""
        )
    else:
        won = str(record["winner"]).strip().lower()
    grades = {
        "model_a": (1.0, 0.0),
        "a": (1.0, 0.0),
        str(record.get("model_a")).lower(): (1.0, 0.0),
        "model_b": (0.0, 1.0),
        "b": (0.0, 1.0),
        str(record.get("model_b")).lower(): (0.0, 1.0),
        "tie": (0.5, 0.5),
        "both": (0.5, 0.5),
        "draw": (0.5, 0.5),
        "tie (bothbad)": (0.0, 0.0),
        "bothbad": (0.0, 0.0),
        "both_bad": (0.0, 0.0),
        "neither": (0.0, 0.0),
    }
    if won not in grades:
        raise ValueError(f"winner is {won[:60]!r}, neither a model, nor tie, nor both bad")
    return grades[won]


def _chosen(record: Record) -> Example:
    chosen, rejected = str(record["chosen_model"]), str(record["rejected_model"])
    asked, _ = prompt_and_answer(first_field(record, "prompt", "instruction", "question", "input") or record["chosen"])
    if chosen == rejected:
        raise ValueError("both answers are of one model")
    return Example(prompt=asked, grades={chosen: 1.0, rejected: 0.0}, scale=UNIT, id=record.get("id"))


def _routellm(record: Record) -> Example:
    # GPT-4's own answer is the reference that Mixtral's is graded against, 1 to 5.
    cheap = Scale(1.0, 5.0).quality(number(record["mixtral_score"], "mixtral_score"), "mixtral_score")
    return Example(
        prompt=record["prompt"],
        grades={"cheap": cheap, "expensive": 1.0},
        answers={"cheap": record.get("mixtral_response"), "expensive": record.get("gpt4_response")},
        group=_first_tag(str(record.get("source", "")).replace("'", '"')),
        scale=UNIT,
    )


def _routerbench(record: Record) -> Example:
    models = [name.removesuffix("|total_cost") for name in record if name.endswith("|total_cost")]
    asked, _ = prompt_and_answer(record["prompt"])
    return Example(
        prompt=asked,
        grades={name: record.get(name) for name in models},
        usd={name: record.get(f"{name}|total_cost") for name in models},
        answers={name: record.get(f"{name}|model_response") for name in models},
        group=record.get("eval_name"),
        id=record.get("sample_id"),
        scale=UNIT,
    )


def _promptfoo(record: Record) -> Example:
    provider = record["provider"]
    model = (provider.get("label") or provider["id"]) if isinstance(provider, Mapping) else provider
    grade = first_field(record, "score", "gradingResult.score", "success")
    return _answered(
        first_field(record, "prompt.raw", "prompt"),
        model,
        usd=first_field(record, "cost", "response.cost"),
        answer=field(record, "response.output"),
        grade=grade,
        id=record.get("testIdx"),
        scale=UNIT,
        group=first_field(record, "metadata.group", "vars.group"),
    )


def _promptfoo_results(record: Record) -> Iterable[Any]:
    results = first_field(record, "results.results", "results")
    return results if isinstance(results, list) else ()


def _otlp_spans(record: Record) -> Iterable[Any]:
    for resource in record.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                attributes = {item["key"]: _otlp_value(item.get("value")) for item in span.get("attributes") or ()}
                if "gen_ai.input.messages" in attributes or "gen_ai.prompt" in attributes:
                    yield {**attributes, "spanId": span.get("spanId")}


def _otlp_value(value: Any) -> Any:
    return next(iter(value.values()), None) if isinstance(value, Mapping) else value


def _otel(record: Record) -> Example:
    return _answered(
        first_field(record, "gen_ai.input.messages", "gen_ai.prompt"),
        first_field(record, "gen_ai.response.model", "gen_ai.request.model"),
        id=record.get("spanId"),
        answer=record.get("gen_ai.output.messages"),
        group=first_field(record, "turnout.endpoint", "gen_ai.agent.name"),
        grade=first_field(record, "gen_ai.evaluation.score.value"),
    )


# What a request log says of where an answer came from (records.CacheState).
_CACHE_STATES = frozenset(get_args(CacheState))


def _requests(record: Record) -> Example:
    if is_missing(first_field(record, "messages", "prompt")):
        raise NoPrompt("no prompt: a cache hit, or logged without [log] content = true")
    side = str(record.get("tier", ""))
    return _answered(
        first_field(record, "messages", "prompt"),
        side if side in SIDES else record.get("model"),
        usd=record.get("cost_usd"),
        answer=record.get("answer"),
        grade=record.get("quality"),
        group=first_field(record, "group", "endpoint"),
        id=record.get("id"),
        scale=UNIT,
    )


SCHEMAS = (
    Schema(
        name="feedback",
        title="Turnout's feedback",
        signs=("request_id", "quality"),
        example=_feedback,
        only=lambda record: "prompt" not in record and "messages" not in record,
    ),
    Schema(
        name="turnout",
        title="Turnout's request log",
        signs=("id", "cache"),
        example=_requests,
        only=lambda record: record.get("cache") in _CACHE_STATES and "cheap_quality" not in record,
    ),
    Schema(
        name="litellm",
        title="LiteLLM's StandardLoggingPayload",
        signs=("call_type", "messages", "response_cost"),
        example=_litellm,
    ),
    Schema(
        name="langfuse-scores",
        title="Langfuse's scores",
        signs=("data_type", "value", "trace_id"),
        example=_langfuse_score,
    ),
    Schema(
        name="langfuse",
        title="Langfuse's observations",
        signs=("trace_id", "type", "input"),
        example=_langfuse,
        only=lambda record: str(record.get("type")).upper() == "GENERATION",
    ),
    Schema(name="langsmith", title="LangSmith's runs", signs=("run_type", "inputs", "outputs"), example=_langsmith),
    Schema(
        name="helicone",
        title="Helicone's requests",
        signs=("request_body", "response_body", "request_id"),
        example=_helicone,
    ),
    Schema(name="phoenix", title="Phoenix' spans", signs=("context.span_id", "span_kind"), example=_phoenix),
    Schema(
        name="braintrust", title="Braintrust's logs", signs=("root_span_id", "input", "scores"), example=_braintrust
    ),
    Schema(
        name="openai-batch", title="OpenAI's batch input", signs=("custom_id", "method", "body"), example=_openai_batch
    ),
    Schema(
        name="openai-stored",
        title="OpenAI's stored completions",
        signs=("object", "choices", "messages"),
        example=_openai_stored,
    ),
    Schema(
        name="openai-preference",
        title="OpenAI's preference pairs",
        signs=("input.messages", "preferred_output"),
        example=_openai_preference,
    ),
    Schema(name="openai-evals", title="OpenAI's eval items", signs=("item",), example=_openai_eval),
    Schema(name="openai-evals", title="OpenAI's eval samples", signs=("input", "ideal"), example=_openai_eval),
    Schema(
        name="arena",
        title="Arena's battles",
        signs=("model_a", "model_b"),
        example=_arena,
        only=lambda record: any(name in record for name in ("winner", "winner_model_a")),
    ),
    Schema(
        name="preference",
        title="chosen and rejected answers",
        signs=("chosen_model", "rejected_model"),
        example=_chosen,
    ),
    Schema(name="routellm", title="RouteLLM's GPT-4 judgements", signs=("prompt", "mixtral_score"), example=_routellm),
    Schema(
        name="routerbench",
        title="RouterBench",
        signs=("sample_id", "prompt", "eval_name"),
        example=_routerbench,
        only=lambda record: any(name.endswith("|total_cost") for name in record),
    ),
    Schema(
        name="promptfoo",
        title="promptfoo's results",
        signs=("results",),
        example=_promptfoo,
        records=_promptfoo_results,
    ),
    Schema(
        name="otel", title="OpenTelemetry's GenAI spans", signs=("resourceSpans",), example=_otel, records=_otlp_spans
    ),
)
