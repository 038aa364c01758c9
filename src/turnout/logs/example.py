"""One question of a log and its answers, in whatever schema it was written; and what schemas have in common. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from turnout.logs.conversations import answer_of_completion, prompt_and_answer
from turnout.logs.fields import LogRecord, field, first_field, mean_of, unpack_json
from turnout.logs.model_names import same_models
from turnout.logs.values import Scale, is_missing

# The names of the tiers where a log names them itself.
SIDES = ("cheap", "expensive")


RecordKind = Literal["call", "around", "other"]


@dataclass(slots=True, kw_only=True)
class Example:
    """One question of a log, and what it holds of the answers, by model (or by side, `cheap` and `expensive`).

    prompt: a text or OpenAI's messages; None in a file of scores alone. no_prompt: why a record that should have one
    has none. grades: as the log writes them, on `scale` where the schema fixes one. scores: of the answer of `model`,
    by the names of what they say; one of them is its grade. from_zero_to_hundred: where the scores are plain numbers,
    they are so unless all of the log's are 0 and 1. id: what scores of another file name it by. record: as it was read.
    """

    prompt: Any = None
    no_prompt: str = ""
    model: str = ""
    scores: dict[str, Any] = dataclass_field(default_factory=dict)
    from_zero_to_hundred: bool = False
    grades: dict[str, Any] = dataclass_field(default_factory=dict)
    usd: dict[str, Any] = dataclass_field(default_factory=dict)
    answers: dict[str, Any] = dataclass_field(default_factory=dict)
    group: Any = None
    id: Any = None
    weight: Any = None
    scale: Scale | None = None
    record: LogRecord = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """name: as `--from` takes it. title: whose format it is. signs: fields of which a record of it has all.

    records: the records within a record (a document that holds a list, a batch of spans). only: what else must hold.
    kind: of a record: a model's call, what stands around calls (and is read where a log holds no calls), or what is
    never read as a question. scores: of a record, by name. both_answers: whether a record holds the grades of both
    answers, not one answer's.
    """

    name: str
    title: str
    signs: tuple[str, ...]
    example: Callable[[LogRecord], Example]
    records: Callable[[LogRecord], Iterable[Any]] = lambda record: (record,)
    only: Callable[[LogRecord], bool] = lambda record: True
    kind: Callable[[LogRecord], RecordKind] = lambda record: "call"
    scores: Callable[[LogRecord], dict[str, Any]] = lambda record: scores_of(record.get("scores"))
    both_answers: bool = False

    def matches(self, record: LogRecord) -> bool:
        """Whether this record is of this schema, beyond doubt."""
        return all(field(record, sign) is not None or sign in record for sign in self.signs) and self.only(record)


def example_of_answer(
    prompt: Any, model: Any, *, grade: Any = None, usd: Any = None, answer: Any = None, **more: Any
) -> Example:
    """The example of one model's answer."""
    asked, last = (None, None) if more.get("no_prompt") else prompt_and_answer(prompt)
    name = "" if is_missing(model) else str(model)
    text = answer_of_completion(answer) if not is_missing(answer) else last
    return Example(
        prompt=asked,
        model=name,
        grades={} if is_missing(grade) else {name: grade},
        usd={} if is_missing(usd) else {name: usd},
        answers={} if text is None else {name: text},
        **more,
    )


def first_tag(value: Any) -> Any:
    value = unpack_json(value)
    return value[0] if isinstance(value, list) and value else value if isinstance(value, str) else None


def scores_of(scores: Any) -> dict[str, Any]:
    """Scores by name, of a list of scores that each hold name and value, or of an object; those that are no numbers
    left out. Several of one name count as their mean."""
    scores = unpack_json(scores)
    if isinstance(scores, Mapping):
        pairs = [(str(name), value) for name, value in scores.items()]
    else:
        pairs = [(_name_of(score), score) for score in scores] if isinstance(scores, list) else []
    by_name: dict[str, list[Any]] = {}
    for name, value in pairs:
        by_name.setdefault(name, []).append(value)
    means = {name: _mean(values) for name, values in by_name.items()}
    return {name: mean for name, mean in means.items() if mean is not None}


def _name_of(score: Any) -> str:
    name = first_field(score, "name", "key", "annotation_name") if isinstance(score, Mapping) else None
    return "" if name is None else str(name)


def _mean(values: list[Any]) -> Any:
    """A truth value stays one: it needs no scale."""
    mean = mean_of(values)
    return f"{100 * mean:g} %" if mean is not None and all(map(_is_truth, values)) else mean


def _is_truth(value: Any) -> bool:
    kind = first_field(value, "dataType", "data_type", "valueType") if isinstance(value, Mapping) else None
    inner = first_field(value, "value", "score") if isinstance(value, Mapping) else value
    return isinstance(inner, bool) or str(kind).upper() == "BOOLEAN"


# What of a winner's name says nothing: whose the model is, brackets, how clear it was.
_WINNER_NOISE = re.compile(r"[\[\]()]|^(model|assistant|response|answer|option)[_ ]|[_ ](wins?|won|is better|better)$")
_GOOD_TIES = frozenset(
    {"tie", "both", "draw", "equal", "same", "both good", "both_good", "bothgood", "both are good", "c", "a=b", "a==b",
     "=", "tie bothgood", "tie_bothgood", "0.5", "no preference"}
)  # fmt: skip
_BAD_TIES = frozenset(
    {"tie bothbad", "bothbad", "both bad", "both_bad", "both are bad", "neither", "none", "tie_bothbad", "all bad"}
)
TIES = _GOOD_TIES | _BAD_TIES


def won_by(winner: Any, first: str, second: str, *, suffixes: tuple[str, str] = ("a", "b")) -> tuple[float, float]:
    """Each model's grade: a win 1, a loss 0, a tie a half each, both bad none. suffixes: what stands for them in the
    columns' names. Raises ValueError."""
    text = str(winner).strip().lower()
    plain = plain_winner(winner)
    for names, grades in (
        ({first.lower()}, (1.0, 0.0)),
        ({second.lower()}, (0.0, 1.0)),
        ({suffixes[0], "a", "left", "a>b", "a>>b"}, (1.0, 0.0)),
        ({suffixes[1], "b", "right", "b>a", "b>>a"}, (0.0, 1.0)),
        (_BAD_TIES, (0.0, 0.0)),
        (_GOOD_TIES, (0.5, 0.5)),
    ):
        if text in names or plain in names:
            return grades
    named = same_models(text, (first, second)) or same_models(plain, (first, second))
    if len(named) > 1:
        raise ValueError(f"winner is {text[:60]!r}, which may be {first} or {second}")
    if named:
        return (1.0, 0.0) if named == [first] else (0.0, 1.0)
    raise ValueError(f"winner is {text[:60]!r}, neither a model, nor tie, nor both bad")


def plain_winner(winner: Any) -> str:
    """A winner's name in small letters, without brackets and words around it."""
    return _WINNER_NOISE.sub("", _WINNER_NOISE.sub("", str(winner).strip().lower())).strip()
