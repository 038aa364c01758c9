"""One question of a log and its answers, in whatever schema it was written; and what schemas have in common. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from turnout.logs.fields import LogRecord, answer_of_completion, field, mean_of, prompt_and_answer, unpack_json
from turnout.logs.values import Scale, is_missing

# The names of the tiers where a log names them itself.
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
    record: LogRecord = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """name: as `--from` takes it. title: whose format it is. signs: fields of which a record of it has all.

    records: the records within a record (a document that holds a list, a batch of spans). only: what else must hold.
    both_answers: whether a record holds the grades of both answers, not one answer's.
    """

    name: str
    title: str
    signs: tuple[str, ...]
    example: Callable[[LogRecord], Example]
    records: Callable[[LogRecord], Iterable[Any]] = lambda record: (record,)
    only: Callable[[LogRecord], bool] = lambda record: True
    both_answers: bool = False

    def matches(self, record: LogRecord) -> bool:
        """Whether this record is of this schema, beyond doubt."""
        return all(field(record, sign) is not None or sign in record for sign in self.signs) and self.only(record)


def example_of_answer(
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


def first_tag(value: Any) -> Any:
    value = unpack_json(value)
    return value[0] if isinstance(value, list) and value else value if isinstance(value, str) else None


def mean_grade(scores: Any) -> Any:
    """Of a list of scores, or of scores by name, the mean."""
    scores = unpack_json(scores)
    if isinstance(scores, Mapping):
        return mean_of(scores.values())
    return mean_of(scores) if isinstance(scores, list) else None


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


def won_by(winner: Any, first: str, second: str) -> tuple[float, float]:
    """Each model's grade: a win 1, a loss 0, a tie a half each, both bad none. Raises ValueError."""
    text = str(winner).strip().lower()
    plain = plain_winner(winner)
    for names, grades in (
        ({first.lower()}, (1.0, 0.0)),
        ({second.lower()}, (0.0, 1.0)),
        ({"a", "left", "a>b", "a>>b"}, (1.0, 0.0)),
        ({"b", "right", "b>a", "b>>a"}, (0.0, 1.0)),
        (_BAD_TIES, (0.0, 0.0)),
        (_GOOD_TIES, (0.5, 0.5)),
    ):
        if text in names or plain in names:
            return grades
    raise ValueError(f"winner is {text[:60]!r}, neither a model, nor tie, nor both bad")


def plain_winner(winner: Any) -> str:
    """A winner's name in small letters, without brackets and words around it."""
    return _WINNER_NOISE.sub("", _WINNER_NOISE.sub("", str(winner).strip().lower())).strip()
