"""One record of each schema that logs come in: a question, who answered it, how well (0 to 1) and at what cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

SYSTEM = {"role": "system", "content": "You are a support assistant."}
Record = dict[str, Any]


def messages(question: str) -> list[Record]:
    return [SYSTEM, {"role": "user", "content": question}]


def completion(model: str) -> Record:
    choice = {"index": 0, "message": {"role": "assistant", "content": "an answer"}, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": model, "choices": [choice]}


def litellm(question: str, model: str, grade: float, usd: float) -> Record:
    return {
        "id": f"c-{question}",
        "call_type": "acompletion",
        "response_cost": usd,
        "model": model,
        "messages": messages(question),
        "response": completion(model),
        "request_tags": ["support"],
        "metadata": {"user_api_key_alias": "app"},
        "quality": grade,
    }


def langfuse(question: str, model: str, grade: float, usd: float) -> Record:
    return {
        "id": f"o-{question}",
        "trace_id": "t",
        "type": "GENERATION",
        "input": json.dumps(messages(question)),
        "output": json.dumps({"role": "assistant", "content": "an answer"}),
        "provided_model_name": model,
        "total_cost": usd,
        "trace_name": "support",
        "scores": [{"name": "user", "value": grade}],
    }


def langsmith(question: str, model: str, grade: float, usd: float) -> Record:
    human = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
        "kwargs": {"content": question, "type": "human"},
    }
    return {
        "id": f"r-{question}",
        "run_type": "llm",
        "name": "ChatOpenAI",
        "inputs": json.dumps({"messages": [[human]]}),
        "outputs": json.dumps({"generations": [[{"text": "an answer"}]]}),
        "total_cost": usd,
        "extra": json.dumps({"metadata": {"ls_model_name": model, "feature": "support"}}),
        "feedback_stats": json.dumps({"user_score": {"n": 1, "avg": grade}}),
    }


def helicone(question: str, model: str, grade: float, usd: float) -> Record:
    return {
        "request_id": f"q-{question}",
        "request_body": {"model": model, "messages": messages(question)},
        "response_body": completion(model),
        "request_model": model,
        "costUSD": usd,
        "request_properties": {"feature": "support"},
        "scores": {"quality": round(100 * grade)},
    }


def phoenix(question: str, model: str, grade: float, usd: float) -> Record:
    asked = [{"message.role": message["role"], "message.content": message["content"]} for message in messages(question)]
    return {
        "context.span_id": f"s-{question}",
        "span_kind": "LLM",
        "name": "support",
        "attributes.llm.model_name": model,
        "attributes.llm.input_messages": asked,
        "attributes.output.value": "an answer",
        "eval.correctness.score": grade,
        "attributes.llm.cost.total": usd,
    }


def braintrust(question: str, model: str, grade: float, usd: float) -> Record:
    return {
        "id": f"b-{question}",
        "root_span_id": "b",
        "input": messages(question),
        "scores": {"Factuality": grade},
        "output": [{"message": {"role": "assistant", "content": "an answer"}}],
        "metadata": {"model": model},
        "metrics": {"cost": usd},
        "tags": ["support"],
    }


def otel(question: str, model: str, grade: float, usd: float) -> Record:
    asked = [{"role": "user", "parts": [{"type": "text", "content": question}]}]
    actual = {
        "gen_ai.request.model": model,
        "gen_ai.input.messages": json.dumps(asked),
        "turnout.endpoint": "support",
        "gen_ai.evaluation.score.value": grade,
    }
    kinds = {str: "stringValue", float: "doubleValue"}
    attributes = [{"key": key, "value": {kinds[type(value)]: value}} for key, value in actual.items()]
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": f"s-{question}", "attributes": attributes}]}]}]}


def turnout(question: str, model: str, grade: float, usd: float) -> Record:
    tier = "cheap" if model.endswith("mini") else "expensive"
    return {
        "id": f"q-{question}",
        "endpoint": "support",
        "group": "support",
        "tier": tier,
        "model": model,
        "reason": "scored",
        "cache": "miss",
        "cost_usd": usd,
        "attempts": [],
        "messages": messages(question),
        "quality": grade,
    }


# Each of their records holds one answer: two make a row.
ONE_ANSWER: dict[str, Callable[[str, str, float, float], Record]] = {
    make.__name__: make for make in (litellm, langfuse, langsmith, helicone, phoenix, braintrust, otel, turnout)
}


def promptfoo(rows: list[tuple[str, float, float]]) -> Record:
    results = [
        {
            "provider": {"id": f"openai:{model}", "label": ""},
            "prompt": {"raw": question},
            "score": grade,
            "cost": usd,
            "testIdx": row,
            "response": {"output": "an answer"},
            "success": grade == 1,
            "vars": {"group": "support"},
        }
        for row, (question, *grades) in enumerate(rows)
        for model, grade, usd in zip(("gpt-4o-mini", "gpt-4o"), grades, (0.0002, 0.006), strict=True)
    ]
    return {"evalId": "e", "results": {"version": 3, "results": results}}


def arena(question: str, cheap: float, expensive: float) -> Record:
    won = {(1.0, 0.0): "model_a", (0.0, 1.0): "model_b", (0.5, 0.5): "tie", (0.0, 0.0): "tie (bothbad)"}
    answered = [{"role": "user", "content": question}, {"role": "assistant", "content": "an answer"}]
    return {
        "question_id": f"q-{question}",
        "model_a": "gpt-4o-mini",
        "model_b": "gpt-4o",
        "winner": won[cheap, expensive],
        "conversation_a": answered,
        "conversation_b": answered,
    }


def preference(question: str, cheap: float, expensive: float) -> Record:
    chosen, rejected = ("gpt-4o-mini", "gpt-4o") if cheap > expensive else ("gpt-4o", "gpt-4o-mini")
    return {"prompt": question, "chosen": "a", "rejected": "b", "chosen_model": chosen, "rejected_model": rejected}


def routellm(question: str, cheap: float, expensive: float) -> Record:
    return {
        "prompt": question,
        "source": "['evol_instruct']",
        "mixtral_score": round(1 + 4 * cheap),
        "mixtral_response": "a",
        "gpt4_response": "b",
    }


def routerbench(question: str, cheap: float, expensive: float) -> Record:
    return {
        "sample_id": f"mmlu.{question}",
        "prompt": json.dumps([question]),
        "eval_name": "mmlu",
        "small": cheap,
        "large": expensive,
        "small|total_cost": 0.0002,
        "large|total_cost": 0.006,
        "small|model_response": "a",
        "large|model_response": "b",
    }


# Each of their records holds both answers' grades.
BOTH_ANSWERS: dict[str, Callable[[str, float, float], Record]] = {
    make.__name__: make for make in (arena, preference, routellm, routerbench)
}

# These hold questions, and no grade: `turnout label` asks both tiers.
QUESTIONS: dict[str, Callable[[str], Record]] = {
    "openai-batch": lambda question: {
        "custom_id": question,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": messages(question)},
    },
    "openai-stored": lambda question: {
        **completion("gpt-4o-mini"),
        "id": question,
        "messages": messages(question),
        "metadata": {"feature": "support"},
    },
    "openai-evals": lambda question: {"item": {"input": question, "ground_truth": "x"}},
    "openai-preference": lambda question: {
        "input": {"messages": messages(question), "tools": []},
        "preferred_output": [{"role": "assistant", "content": "a"}],
        "non_preferred_output": [{"role": "assistant", "content": "b"}],
    },
}
