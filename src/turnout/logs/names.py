"""What people name the columns of their logs, in whatever case. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

CONTRACT_PROMPTS = ("messages", "prompt")
PROMPTS = (
    *CONTRACT_PROMPTS, "conversations", "conversation", "question", "query", "instruction", "input", "inputs", "text",
    "request", "user_input", "user_message", "user_prompt", "user_query", "prompt_text", "contents", "chat",
    "request_body", "body", "payload", "input_messages", "inputs_question", "inputs_input", "inputs_messages",
    "input_question", "input_text", "request_messages", "task_input",
)  # fmt: skip
MODELS = ("model", "model_name", "model_id", "llm", "provider")
_GRADES = (
    "quality", "score", "rating", "grade", "thumb", "thumbs", "feedback", "label", "correct", "is_correct", "vote",
    "reaction", "stars", "passed", "pass", "success", "overall_score", "judge_score", "user_rating", "human_score",
    "evaluation", "thumbs_up", "liked", "helpful", "is_helpful",
)  # fmt: skip
WINNERS = ("winner", "preference", "preferred", "preferred_model", "better", "better_model", "choice", "vote")
GROUPS = ("group", "endpoint", "feature", "category", "subject", "task", "eval_name")
IDS = ("id", "prompt_id", "question_id", "request_id", "example_id", "sample_id", "task_id", "query_id")
ANSWERS = ("answer", "response", "output", "completion", "answer_text")
COSTS = ("cost_usd", "cost", "usd", "total_cost", "price")
# A question's column under a name of the app's own, `customer_question`; what instructs the model or a judge, and what
# a model wrote, is none.
_QUESTION = re.compile(
    r"(?!.*(?:system|template|expected|follow_?up|tokens|length|count|category|type|judge|grader|eval|rubric|negative|"
    r"generated|rewritten|sql))"
    r"(?:\w+_)?(?:prompt|question|query)(?:_(?:text|content|body))?"
)
# Of a request log: its `success` says that the call came back, not that the answer was good.
_OF_CALLS = re.compile(r"latenc|duration|status|tokens|elapsed|response_time|http|finish_reason|(^|_)(ms|error)$")
# A number that says how long or how much, not how good.
_MEASURE = re.compile(
    r"token|latenc|duration|cost|usd|price|time|date|created|updated|length|index|unnamed|turn|temperature|seed|count|"
    r"weight|version|year|size|(^|_)(id|ms|s|n|no|row|line|idx)$"
)
# A number that says how bad, how sure or how hard: read as a quality it would train the opposite.
_NO_QUALITY = re.compile(
    r"(^|_)(errors?|err|wer|cer|mae|mse|rmse|loss|losses|rank|ranking|difficulty|hardness|confidence|certainty|entropy|"
    r"uncertainty|perplexity|ppl|logprobs?|distance|toxicity|hallucinations?|failures?|refusals?|violations?|risk)(_|$)"
)
# What was expected, answered or remarked, and how a call ended: a word or number there is no grade.
_NO_GRADE = re.compile(
    r"(^|_)(status|state|expected|target|reference|gold|golden|ideal|ground_truth|truth|answers?|outputs?|responses?|"
    r"completions?|predictions?|predicted|solution|text|content|messages?|reason|comments?|notes?|language|lang|locale|"
    # Of pairs whose models are not named: which of the two models it is changes from row to row.
    r"chosen|rejected|country)$|^(expected|target|reference|gold|golden|ideal|chosen|rejected)_"
)


# The names of one record are those of the next.
@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A column's name in small letters, its words parted by _."""
    return re.sub(r"[\s\-.]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).lower()


def column_named(names: Iterable[str], usual: Sequence[str]) -> str | None:
    """The column that has one of the usual names, written in whatever case."""
    by_plain = {plain(name): name for name in names}
    return next((by_plain[name] for name in usual if name in by_plain), None)


def question_column(names: Iterable[str]) -> str | None:
    """The column of the question: by its usual name, else the only one that is named like a question."""
    names = list(names)
    alike = [name for name in names if _QUESTION.fullmatch(plain(name))]
    return column_named(names, PROMPTS) or (alike[0] if len(alike) == 1 else None)


def grade_column(names: Iterable[str]) -> str | None:
    """The column of one answer's grade; a request log's `success` is none."""
    names = list(names)
    of_calls = any(_OF_CALLS.search(plain(name)) for name in names)
    return column_named(names, [name for name in _GRADES if not (of_calls and name == "success")])


def is_grade(name: str) -> bool:
    """Whether a grade is usually called so."""
    return plain(name) in _GRADES or plain(name) == "value"


def is_measure(name: str) -> bool:
    """Whether a column of this name holds an amount."""
    return bool(_MEASURE.search(plain(name)))


def is_no_quality(name: str) -> bool:
    """Whether what stands under this name is an amount, larger where an answer is worse, or no grade at all."""
    return is_measure(name) or any(words.search(plain(name)) for words in (_NO_QUALITY, _NO_GRADE))
