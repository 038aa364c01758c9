"""The schemas of evaluation tools and of public data sets. Pure.

They follow OpenAI (batch input, stored completions, evals, preference pairs), RouteLLM, RouterBench and promptfoo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from turnout.logs.conversations import prompt_and_answer
from turnout.logs.example import Example, RecordKind, example_of_answer, first_tag, scores_of
from turnout.logs.fields import LogRecord, field, first_field, unpack_json
from turnout.logs.names import is_grade
from turnout.logs.values import UNIT, Scale, is_missing, number

# What promptfoo's CSV export heads a provider's answers by, and begins each with.
_PROVIDER, _VERDICT = re.compile(r"\[([^\]]+)\]\s.+", re.S), re.compile(r"\[(PASS|FAIL|ERROR)\]\s*(?:\(([\d.]+)\))?")


def openai_batch(record: LogRecord) -> Example:
    return example_of_answer(
        field(record, "body.messages") or field(record, "body.input"), None, id=record.get("custom_id")
    )


def openai_batch_kind(record: LogRecord) -> RecordKind:
    return "other" if str(record.get("url")).rstrip("/").endswith(("/embeddings", "/moderations")) else "call"


def openai_stored(record: LogRecord) -> Example:
    return example_of_answer(
        record["messages"],
        record.get("model"),
        answer={"choices": record["choices"]},
        id=record.get("id"),
        group=first_field(record, "metadata.feature", "metadata.endpoint"),
        scores=_stored_scores(record),
    )


def _stored_scores(record: LogRecord) -> dict[str, Any]:
    """By name, as OpenAI's dashboard or the app that stored it wrote them: metadata are texts."""
    metadata = unpack_json(record.get("metadata"))
    held = {**(metadata if isinstance(metadata, Mapping) else {}), **record}
    return {name: held[name] for name in held if is_grade(name) and not is_missing(held[name])}


def openai_preference(record: LogRecord) -> Example:
    # The record says which answer is the better one, but not whose it is.
    return example_of_answer(field(record, "input.messages"), None)


def openai_eval(record: LogRecord) -> Example:
    return example_of_answer(first_field(record, "item.input", "item.question", "item.prompt", "input"), None)


def openai_eval_output(record: LogRecord) -> Example:
    """Of a run of OpenAI's evals: one model's answer to an item, and what each grader said of it."""
    item = "datasource_item"
    return example_of_answer(
        first_field(record, "sample.input", f"{item}.input", f"{item}.question", f"{item}.prompt"),
        field(record, "sample.model"),
        answer=field(record, "sample.output"),
        scores=scores_of(record.get("results")),
        id=record.get("datasource_item_id"),
    )


def routellm(record: LogRecord) -> Example:
    # GPT-4's own answer is the reference that Mixtral's is graded against, 1 to 5.
    cheap = Scale(1.0, 5.0).quality(number(record["mixtral_score"], "mixtral_score"), "mixtral_score")
    return Example(
        prompt=record["prompt"],
        grades={"cheap": cheap, "expensive": 1.0},
        answers={"cheap": record.get("mixtral_response"), "expensive": record.get("gpt4_response")},
        group=first_tag(str(record.get("source", "")).replace("'", '"')),
        scale=UNIT,
    )


def routerbench(record: LogRecord) -> Example:
    models = [name.removesuffix("|total_cost") for name in record if name.endswith("|total_cost")]
    asked, _ = prompt_and_answer(record["prompt"])
    return Example(
        prompt=asked,
        grades={name: record.get(name) for name in models},
        usd={name: record.get(f"{name}|total_cost") for name in models},
        answers={name: record.get(f"{name}|model_response") for name in models},
        group=record.get("eval_name"),
        id=record.get("sample_id"),
    )


def promptfoo(record: LogRecord) -> Example:
    if _has_failed(record):
        raise ValueError("the call failed: there is no answer whose quality it could tell")
    provider = record["provider"]
    model = (provider.get("label") or provider["id"]) if isinstance(provider, Mapping) else provider
    grade = first_field(record, "score", "gradingResult.score", "success")
    return example_of_answer(
        first_field(record, "prompt.raw", "prompt"),
        model,
        usd=first_field(record, "cost", "response.cost"),
        answer=field(record, "response.output"),
        grade=grade,
        id=record.get("testIdx"),
        group=first_field(record, "metadata.group", "vars.group"),
    )


def _has_failed(record: LogRecord) -> bool:
    """Whether the provider gave an error. promptfoo's `error` is also what a failed assertion says."""
    reason = record.get("failureReason")
    if not is_missing(reason):
        return str(reason) in ("2", "2.0")
    return bool(record.get("error")) and field(record, "response.output") is None


def is_promptfoo_document(record: LogRecord) -> bool:
    """Whether its results are promptfoo's: in an object of their own, or each with its provider."""
    results = record.get("results")
    if isinstance(results, Mapping):
        return "results" in results or "table" in results
    return isinstance(results, list) and any(isinstance(each, Mapping) and "provider" in each for each in results)


def promptfoo_results(record: LogRecord) -> Iterable[Any]:
    results = first_field(record, "results.results", "results")
    return results if isinstance(results, list) else _promptfoo_table(record)


def _promptfoo_table(record: LogRecord) -> Iterable[Any]:
    """The results of the table that older versions write: a row a test, an output a provider."""
    table = first_field(record, "results.table", "table") or {}
    heads = first_field(table, "head.prompts") or ()
    for place, row in enumerate(table.get("body") or ()):
        for head, output in zip(heads, row.get("outputs") or (), strict=False):
            yield {
                "provider": head.get("provider"),
                "prompt": first_field(output, "prompt") or _filled(head.get("raw"), table, row),
                "score": first_field(output, "score", "pass"),
                "failureReason": output.get("failureReason"),
                "response": {"output": output.get("text")},
                "cost": output.get("cost"),
                "testIdx": place,
            }


def _filled(template: Any, table: LogRecord, row: LogRecord) -> str:
    text = str(template)
    for name, value in zip(field(table, "head.vars") or (), row.get("vars") or (), strict=False):
        # Split, not re.sub: a value may hold backslashes.
        text = str(value).join(re.split(r"\{\{\s*" + re.escape(str(name)) + r"\s*\}\}", text))
    return text


def is_promptfoo_row(record: LogRecord) -> bool:
    """Whether it is of the CSV export: two columns or more of providers' verdicts."""
    return sum(bool(_PROVIDER.fullmatch(name) and _VERDICT.match(str(record[name]))) for name in record) > 1


def promptfoo_row(record: LogRecord) -> Example:
    answered = {name: match[1] for name in record if (match := _PROVIDER.fullmatch(name))}
    variables = [name for name in record if name not in answered and not name.startswith(("__", "Description"))]
    template = next(iter(answered)).partition("]")[2].strip()
    prompt = _filled(template, {"head": {"vars": variables}}, {"vars": [record[name] for name in variables]})
    verdicts = {model: _VERDICT.match(str(record[name])) for name, model in answered.items()}
    return Example(
        prompt=prompt,
        # An error of the provider says nothing of an answer.
        grades={
            model: float(match[2] or match[1] == "PASS")
            for model, match in verdicts.items()
            if match and match[1] != "ERROR"
        },
    )
