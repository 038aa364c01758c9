"""Which of a log's models is the cheap one: as the user says, else the one that costs less beyond doubt. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turnout.errors import LogError
from turnout.logs.columns import Columns
from turnout.logs.example import SIDES, Example
from turnout.logs.values import is_missing, number

# Which of two models is the cheap one is beyond doubt where it costs at most half of what the other does.
_SURE_RATIO = 2.0
# What people add to a model's name for its column of grades.
_COLUMN_WORDS = re.compile(r"^(quality|score|rating|grade)[_ ]|[_ ](quality|score|rating|grade|correct)$", re.I)

_WORD_ENDS = re.compile(r"[-_ .:|]+")

# What a model costs, in any unit; None where nobody knows.
PriceOf = Callable[[str], float | None]


@dataclass(slots=True, kw_only=True)
class Understanding:
    """How one file is read. models: those whose answers it grades, with how often; sides: which is which.

    merged: records that were read into another one's row, of the same question. left_out: spans that are no model's
    call. unclear: columns that may be qualities. note: what else one should
    know of it.
    """

    path: Path
    schema: str
    title: str
    native: bool = False
    labelled: bool = True
    merged: int = 0
    left_out: int = 0
    unclear: tuple[str, ...] = ()
    note: str = ""
    models: Counter[str] = field(default_factory=Counter)
    sides: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """In one line; "" for Turnout's own columns, which need no telling."""
        if self.native:
            return f"{self.path}: {self.note}" if self.note else ""
        names = sorted((side, name) for name, side in self.sides.items() if name not in SIDES)
        sides = ", ".join(f"{side} = {name}" for side, name in names)
        more = (sides, merged_line(self.merged), left_out_line(self.left_out), self.note)
        return f"{self.path}: read as {self.title}" + "".join(f"; {each}" for each in more if each)


def merged_line(merged: int) -> str:
    """How many records were merged; "" where none was."""
    return f"{merged} records repeat another one's question" if merged else ""


def left_out_line(left_out: int) -> str:
    """How many records are no model's call; "" where none is."""
    return f"{left_out} records are no call of a chat model and are left out" if left_out else ""


def find_sides(
    understanding: Understanding,
    examples: Sequence[Example],
    columns: Columns,
    price_of: PriceOf,
    tiers: tuple[str, str] | None,
) -> None:
    """Fills in `models`, `sides` and `labelled`, from the first examples of a file.

    tiers: the cheap and the expensive model, where only their answers are of use. Raises LogError where the user has
    to say which two models are meant.
    """
    for example in examples:
        understanding.models.update(name for name, grade in example.grades.items() if name and not is_missing(grade))
    understanding.labelled = bool(understanding.models)
    answering = [name for example in examples for name in (*example.grades, *example.answers) if name]
    models = [name for name in dict.fromkeys(answering) if name not in SIDES]
    understanding.sides = {side: side for side in SIDES}
    if not models:
        return
    if (columns.cheap or columns.expensive) and not understanding.models.keys() & set(SIDES):
        pairs = zip(SIDES, (columns.cheap, columns.expensive), strict=True)
        understanding.sides |= {_model_named(name, models, understanding.path): side for side, name in pairs if name}
    elif tiers is not None:
        known = {_short(name): side for side, name in zip(SIDES, tiers, strict=True)}
        understanding.sides |= {name: known[_short(name)] for name in models if _short(name) in known}
    elif graded := [name for name in understanding.models if name not in SIDES]:
        understanding.sides |= _by_price(understanding, examples, graded, price_of)


def _by_price(
    understanding: Understanding, examples: Sequence[Example], models: Sequence[str], price_of: PriceOf
) -> dict[str, str]:
    sure = _cheap_first(models, lambda name: _price_within(name, price_of)) or _cheap_first(
        models, lambda name: _mean_usd(examples, name)
    )
    if sure:
        return dict(zip(sure, SIDES, strict=True))
    if len(models) == 1:
        understanding.labelled = False
        return {}
    shown = ", ".join(name for name, _ in understanding.models.most_common(8))
    others = "or others" if len(models) > 2 else "or the other way round"
    raise LogError(
        f"{understanding.path}: read as {understanding.title}, it grades the models {shown}: say which two they are: "
        f"--cheap {_quoted(models[0])} --expensive {_quoted(models[1])}, {others}"
    )


def _cheap_first(models: Sequence[str], cost_of: PriceOf) -> list[str] | None:
    """The two models, the cheap one first; None where there are not two, or where it is not beyond doubt."""
    costs = {name: cost for name in models if (cost := cost_of(name))}
    if len(models) != 2 or len(costs) != 2:
        return None
    first, second = sorted(costs, key=lambda name: costs[name])
    return [first, second] if costs[second] >= _SURE_RATIO * costs[first] else None


def _price_within(name: str, price_of: PriceOf) -> float | None:
    """Of the model that a column is named after, as `quality_gpt-4o` or `correctness-gpt-4o`: the longest such name."""
    plain = _COLUMN_WORDS.sub("", name)
    if (price := price_of(plain)) is not None:
        return price
    starts = [0, *(match.end() for match in _WORD_ENDS.finditer(plain))][:4]
    ends = [len(plain), *(match.start() for match in reversed(list(_WORD_ENDS.finditer(plain))))][:4]
    parts = sorted({plain[start:end] for start in starts for end in ends if start < end}, key=len, reverse=True)
    return next((price for part in parts[1:] if (price := price_of(part)) is not None), None)


def _mean_usd(examples: Iterable[Example], name: str) -> float | None:
    try:
        costs = [number(usd, "cost") for example in examples if not is_missing(usd := example.usd.get(name))]
    except ValueError:
        return None
    return sum(costs) / len(costs) if costs else None


def _short(name: str) -> str:
    """A model's name without its provider."""
    return name.replace(":", "/").rsplit("/", 1)[-1]


def _model_named(name: str, models: Sequence[str], path: Path) -> str:
    """The model of the log that this name means, with or without its provider."""
    alike = [model for model in models if model == name] or [m for m in models if _short(m) == _short(name)]
    if alike:
        return alike[0]
    raise LogError(f"{path}: no answer of {name}; it tells of {', '.join(sorted(models)[:8])}")


def _quoted(name: str) -> str:
    return f"'{name}'" if any(character in name for character in ' |;&()$<>*?"\\') else name
