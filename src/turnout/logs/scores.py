"""Scores that stand apart from the answers that they are about: in another file, or on the span around a call. Pure.

An answer may have several of them, by name; which one is its quality, the user says where there is any doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from turnout.errors import LogError
from turnout.logs.example import Example, Schema, scores_of
from turnout.logs.fields import LogRecord, first_field
from turnout.logs.names import is_measure, is_no_quality
from turnout.logs.values import Scale, is_missing, number

# By the id of what they are about and by their names.
ScoresById = dict[str, dict[str, list[Any]]]
# Under these names a record tells the trace that it is part of.
_TRACES = ("trace_id", "traceId", "context.trace_id", "root_span_id")
_HUNDRED = Scale(0.0, 100.0)


def gather(found: ScoresById, about: Any, scores: dict[str, Any]) -> None:
    """Adds scores of one thing. Raises ValueError for one that is no number."""
    for name, score in scores.items():
        number(score, "the score")
        found.setdefault(str(about), {}).setdefault(name, []).append(score)


def scores_around(schema: Schema, records: Iterable[LogRecord]) -> tuple[bool, ScoresById]:
    """Whether these records hold a model's call; and the scores of what stands around such calls, by trace."""
    found: ScoresById = {}
    has_calls = False
    for record in records:
        if schema.kind(record) == "call":
            has_calls = True
            continue
        about = first_field(record, *_TRACES)
        if is_missing(about):
            continue
        # What cannot be read is told where the calls are read.
        with suppress(ValueError):
            gather(found, about, schema.scores(record))
    return has_calls, found


def add_scores(example: Example, found: ScoresById) -> None:
    """Of the answer itself, else of the trace that it is part of."""
    for about in (example.id, first_field(example.record, *_TRACES)) if found else ():
        if named := found.get(str(about)):
            pairs = [{"name": name, "value": score} for name, scores in named.items() for score in scores]
            example.scores = {**example.scores, **scores_of(pairs)}
            return


def chosen_score(path: object, examples: Sequence[Example], wanted: str) -> str | None:
    """The name of the score that is the quality; None where there is none. Raises LogError where it may be either."""
    names = list(dict.fromkeys(name for example in examples for name in example.scores))
    if wanted:
        return wanted if wanted in names else None
    names = [name for name in names if not name or not is_measure(name)]
    if len(names) <= 1:
        return next((name for name in names if not is_no_quality(name)), None)
    likely = sorted(names, key=is_no_quality)
    raise LogError(
        f"{path}: it holds several scores of an answer, {', '.join(names)}; "
        f"say which one is its quality: --quality {likely[0] or likely[1]}"
    )


def grade_by(example: Example, name: str | None) -> Example:
    """The example, graded by this score."""
    if name is not None and name in example.scores:
        model = example.model or next(iter([*example.answers, *example.usd, *example.grades]), "")
        example.grades[model] = example.scores[name]
    return example


def usual_scale(examples: Sequence[Example]) -> Scale | None:
    """The scale of scores that are usually 0 to 100, unless all are 0 and 1; None where they are of no such kind."""
    grades = (each for example in examples if example.from_zero_to_hundred for each in example.grades.values())
    return _HUNDRED if any(isinstance(grade, int | float) and grade > 1 for grade in grades) else None
