"""What traces and exports hold beside graded answers: spans that are no calls, errors, several scores, redactions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.logs import samples
from tests.logs.test_reader import PRICES, TABLE, json_lines, one_answer_records, price_of, question_of
from turnout.errors import LogError
from turnout.logs.columns import Columns
from turnout.logs.labelled import Logs, read_logs
from turnout.logs.reader import LogReader
from turnout.logs.values import Scale

Record = dict[str, Any]


def read(tmp_path: Path, records: list[Any], **options: Any) -> Logs:
    return read_logs([json_lines(tmp_path / "log.jsonl", records)], price_of=price_of, columns=Columns(**options))


def labels(logs: Logs) -> list[tuple[str, float, float]]:
    return sorted(zip(map(question_of, logs.queries), logs.cheap.tolist(), logs.expensive.tolist(), strict=True))


# What stands around a call in each tool's traces: the fields that say so.
AROUND: dict[str, tuple[str, Record]] = {
    "langsmith": ("trace_id", {"run_type": "chain", "inputs": {"input": "around"}, "extra": {}}),
    "braintrust": ("root_span_id", {"span_attributes": {"type": "task"}, "input": {"question": "around"}}),
    "phoenix": ("context.trace_id", {"span_kind": "CHAIN", "attributes.llm.input_messages": None,
                                     "attributes.input.value": "around", "attributes.llm.model_name": None}),
    "langfuse": ("trace_id", {"type": "SPAN", "input": {"query": "around"}, "provided_model_name": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_call_is_no_question_but_may_hold_its_grade(tmp_path: Path, name: str) -> None:
    """It is counted; a grade on the trace's root goes to the call."""
    trace, fields = AROUND[name]
    calls = one_answer_records(samples.ONE_ANSWER[name])
    for graded_on_root in (False, True):
        records = []
        for place, call in enumerate(calls):
            graded = {key: call[key] for key in call if "score" in key or key == "feedback_stats"}
            blank = {key: type(value)() if isinstance(value, dict | list) else None for key, value in graded.items()}
            of_trace = {trace: f"t-{place}"}
            records.append(call | fields | of_trace | (graded if graded_on_root else blank) | {"id": f"root-{place}"})
            records.append(call | of_trace | (blank if graded_on_root else {}))
        logs = read(tmp_path, records)
        assert labels(logs) == sorted(TABLE)
        assert "6 records are no call of a chat model" in logs.understood[0]


def test_embeddings_are_no_questions(tmp_path: Path) -> None:
    """Of a gateway's log, and of a batch."""
    embedding = {"call_type": "aembedding", "model": "text-embedding-3-small", "messages": ["a", "b"]}
    calls = one_answer_records(samples.litellm)
    logs = read(tmp_path, [*calls, calls[0] | embedding])
    assert labels(logs) == sorted(TABLE)
    batch = [samples.QUESTIONS["openai-batch"](row[0]) for row in TABLE]
    path = json_lines(tmp_path / "batch.jsonl", [*batch, batch[0] | {"url": "/v1/embeddings"}])
    reader = LogReader([path])
    assert len(list(reader.rows())) == 3
    assert reader.understanding[0].left_out == 1


def test_an_error_is_no_quality(tmp_path: Path) -> None:
    """A provider's outage would train as wrong answers; it is counted."""
    calls = one_answer_records(samples.litellm)
    logs = read(tmp_path, [*calls, calls[0] | {"status": "failure", "quality": 0, "messages": "failed"}])
    assert (labels(logs), logs.skipped) == (sorted(TABLE), 1)
    assert "the call failed" in logs.bad[0]
    document = samples.promptfoo(TABLE)
    results = document["results"]["results"]
    results.append(results[0] | {"failureReason": 2, "error": "429", "score": 0, "success": False})
    logs = read(tmp_path, [document])
    assert (labels(logs), logs.skipped) == (sorted(TABLE), 1)
    # Of a request log, `success` says that the call came back.
    rows = [{"prompt": row[0], "model": model, "success": True, "latency_ms": 9} for row in TABLE for model in PRICES]
    with pytest.raises(LogError, match="turnout label"):
        read(tmp_path, rows)


def test_a_redacted_prompt_is_none(tmp_path: Path) -> None:
    """All rows would be one question."""
    redacted = [{"role": "user", "content": "redacted-by-litellm"}]
    records = [record | {"messages": redacted} for record in one_answer_records(samples.litellm)]
    with pytest.raises(LogError, match="no prompt: redacted by LiteLLM"):
        read(tmp_path, records)


def test_helicones_scores_are_truth_values_or_up_to_a_hundred_or_as_the_flag_says(tmp_path: Path) -> None:
    """1 of a truth value is not 1 %."""

    def scored(scores: Any) -> list[Any]:
        calls = one_answer_records(samples.helicone)
        grades = [grade for _, *pair in TABLE for grade in pair]
        return [call | {"feedback_rating": None, "scores": scores(grade)}
                for call, grade in zip(calls, grades, strict=True)]  # fmt: skip

    for make in (lambda g: {"ok-hcone-bool": g}, lambda g: {"ok": bool(g)}, lambda g: {"ok": int(g)},
                 lambda g: {"ok": {"value": g, "valueType": "boolean"}}, lambda g: {"ok": 100 * g}):  # fmt: skip
        assert labels(read(tmp_path, scored(make))) == sorted(TABLE)
    assert labels(read(tmp_path, scored(lambda g: {"ok": 1 + 4 * g}), scale=Scale(1.0, 5.0))) == sorted(TABLE)


def test_several_scores_are_not_averaged(tmp_path: Path) -> None:
    """Which one is the quality, the user says; how long it took is none."""
    records = one_answer_records(samples.langfuse)
    for record in records:
        record["scores"] += [{"name": "latency_s", "value": 7.0}]
    assert labels(read(tmp_path, records)) == sorted(TABLE)
    for record in records:
        record["scores"] += [{"name": "toxicity", "value": 0.0}]
    with pytest.raises(LogError, match=r"several scores of an answer, user, toxicity; .*: --quality user"):
        read(tmp_path, records)
    assert labels(read(tmp_path, records, quality="user")) == sorted(TABLE)


def test_a_flag_counts_more_than_the_schema(tmp_path: Path) -> None:
    """And one that names nothing is refused, with what there is."""
    records = [record | {"mine": {"judged": record["quality"], "area": "x"}, "quality": 0.5}
               for record in one_answer_records(samples.litellm)]  # fmt: skip
    logs = read(tmp_path, records, quality="mine.judged", group="/mine/area")
    assert labels(logs) == sorted(TABLE)
    assert set(logs.groups) == {"x"}
    asked = [{**record, "asked": f"{record['messages'][-1]['content']} again"} for record in records]
    logs = read(tmp_path, asked, quality="mine.judged", prompt="asked")
    assert [question for question, _, _ in labels(logs)] == sorted(f"{row[0]} again" for row in TABLE)
    own = [{"prompt": row[0], "cheap_quality": row[1], "expensive_quality": row[2]} for row in TABLE]
    for flag in ("prompt", "model", "quality", "group"):
        for log in (records, own):
            with pytest.raises(LogError, match="it has "):
                read(tmp_path, log, **{flag: "nosuch"})


def test_a_number_that_grows_as_answers_worsen_is_no_quality(tmp_path: Path) -> None:
    """It would train the opposite; what was meant, the flags say."""
    for name in ("error_rate", "wer", "loss", "rank", "difficulty", "latency"):
        rows = [{"prompt": row[0], f"gpt-4o-mini_{name}": 1 - row[1], f"gpt-4o_{name}": 1 - row[2]} for row in TABLE]
        with pytest.raises(LogError, match="turnout label") as refused:
            read(tmp_path, rows)
        assert "--cheap" not in str(refused.value)
        flags = {"cheap": f"gpt-4o-mini_{name}", "expensive": f"gpt-4o_{name}", "scale": Scale(1.0, 0.0)}
        assert labels(read(tmp_path, rows, **flags)) == sorted(TABLE)


def test_winners_are_looked_for_in_all_rows(tmp_path: Path) -> None:
    """The first fifty may name one; a third one is asked about."""
    rows = [{"prompt": f"q{n}", "winner": "gpt-4o" if n < 60 else "gpt-4o-mini"} for n in range(90)]
    assert read(tmp_path, rows).cheap.sum() == 30
    with pytest.raises(LogError, match="names gpt-4o, gpt-4o-mini, claude; say which two models"):
        read(tmp_path, [*rows, {"prompt": "r", "winner": "claude"}])


def test_spans_keep_their_system_prompt_and_their_tools(tmp_path: Path) -> None:
    """A turn of a tool replayed empty is another question."""
    call = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}
    result = {"type": "tool_call_response", "id": "c1", "response": "rainy"}
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
        {"role": "assistant", "parts": [call]},
        {"role": "tool", "parts": [result]},
    ]
    span = {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": messages,
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
    }
    row = next(row for _, _, row in LogReader([json_lines(tmp_path / "log.jsonl", [span])]).rows())
    system, user, asked, answered = row["messages"]  # type: ignore[index]
    assert (system, user["content"]) == ({"role": "system", "content": "Be brief."}, "Weather?")
    assert asked["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert answered == {"role": "tool", "content": "rainy", "tool_call_id": "c1"}


def structured_span(question: str, model: str, evaluations: list[Record]) -> Record:
    """One OTLP span whose messages are lists and objects, not a text."""
    text = {"key": "content", "value": {"stringValue": question}}
    part = {"kvlistValue": {"values": [{"key": "type", "value": {"stringValue": "text"}}, text]}}
    parts = {"key": "parts", "value": {"arrayValue": {"values": [part]}}}
    message = {"kvlistValue": {"values": [{"key": "role", "value": {"stringValue": "user"}}, parts]}}
    attributes = [
        {"key": "gen_ai.request.model", "value": {"stringValue": model}},
        {"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [message]}}},
    ]
    events = [
        {
            "name": "gen_ai.evaluation.result",
            "attributes": [{"key": f"gen_ai.evaluation.{key}", "value": value} for key, value in each.items()],
        }
        for each in evaluations
    ]
    span = {"spanId": f"{question}{model}", "attributes": attributes, "events": events}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_a_spans_structured_messages_and_its_label_are_read(tmp_path: Path) -> None:
    """A label counts where an evaluation has no score."""
    records = one_answer_records(
        lambda question, model, grade, usd: structured_span(
            question,
            model,
            [{"name": {"stringValue": "right"}, "score.label": {"stringValue": "pass" if grade else "fail"}}],
        )
    )
    assert labels(read(tmp_path, records)) == sorted(TABLE)


def test_several_evaluations_of_a_span_are_asked_for(tmp_path: Path) -> None:
    """The last one was taken without a word."""
    records = one_answer_records(
        lambda question, model, grade, usd: structured_span(
            question,
            model,
            [
                {"name": {"stringValue": "right"}, "score.value": {"doubleValue": grade}},
                {"name": {"stringValue": "fluent"}, "score.value": {"doubleValue": 0.9}},
            ],
        )
    )
    with pytest.raises(LogError, match="several scores of an answer, right, fluent"):
        read(tmp_path, records)
    assert labels(read(tmp_path, records, quality="right")) == sorted(TABLE)


@pytest.mark.parametrize("name", ["quality", "score", "rating"])
def test_a_stored_completions_grade_stands_in_its_metadata(tmp_path: Path, name: str) -> None:
    """Where an app can write it, as a text; of several the flag says which one counts."""
    records = one_answer_records(
        lambda question, model, grade, usd: {
            **samples.QUESTIONS["openai-stored"](question), "model": model, "metadata": {name: f"{grade:g}"},
        }
    )  # fmt: skip
    assert labels(read(tmp_path, records)) == sorted(TABLE)
    for record in records:
        record["metadata"]["thumb"] = "up"
    with pytest.raises(LogError, match=f"several scores of an answer, {name}, thumb; .*: --quality {name}"):
        read(tmp_path, records)
    assert labels(read(tmp_path, records, quality=name)) == sorted(TABLE)


def test_records_within_a_record_that_are_none_cost_no_other(tmp_path: Path) -> None:
    """Of a document's results one may be broken, of a batch of spans its frame."""
    document = samples.promptfoo(TABLE)
    document["results"]["results"] += [7, {"provider": "x"}]
    logs = read(tmp_path, [document])
    assert (labels(logs), logs.skipped) == (sorted(TABLE), 2)
    spans = [{"resourceSpans": [{"scopeSpans": ["none"]}]}]
    logs = read(tmp_path, [*one_answer_records(samples.otel), *spans])
    assert (labels(logs), logs.skipped) == (sorted(TABLE), 1)
