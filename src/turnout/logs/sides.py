"""Which of a log's models is the cheap one: as the user says, else the one that costs less beyond doubt. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from turnout.errors import LogError
from turnout.logs.columns import SIDE_FLAGS, Columns
from turnout.logs.example import SIDES, Example
from turnout.logs.model_names import same_models, short_model, spellings
from turnout.logs.values import is_missing, number

# Which of two models is the cheap one is beyond doubt where it costs at most half of what the other does.
_SURE_RATIO = 2.0
# What people add to a model's name for its column of grades.
_COLUMN_WORDS = re.compile(r"^(quality|score|rating|grade)[_ ]|[_ ](quality|score|rating|grade|correct)$", re.I)

_WORD_ENDS = re.compile(r"[-_ .:|/()\[\]]+")

# What a model costs, in any unit; None where nobody knows.
PriceOf = Callable[[str], float | None]


@dataclass(slots=True, kw_only=True)
class Understanding:
    """How one file is read. models: those whose answers it grades, with how often; sides: which is which.

    merged: records that were read into another one's row, of the same question. left_out: spans that are no model's
    call. unclear: columns that may be qualities, which the user has to say by unclear_flags. note: what else one should
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
    unclear_flags: tuple[str, ...] = ()
    note: str = ""
    models: Counter[str] = field(default_factory=Counter)
    sides: dict[str, str] = field(default_factory=dict)

    def add_note(self, note: str) -> None:
        self.note = f"{self.note}; {note}" if self.note else note

    @property
    def hint(self) -> str:
        """What to pass where a column may say how good the answers were; "" where none may."""
        if not self.unclear:
            return ""
        if self.unclear_flags == SIDE_FLAGS:
            return f"if two of {', '.join(self.unclear)} are qualities, pass them as --cheap and --expensive"
        one = self.unclear[0] if len(self.unclear) == 1 else f"one of {', '.join(self.unclear)}"
        more = " --model COLUMN" if "--model" in self.unclear_flags else ""
        return f"if {one} says how good an answer was, pass --quality {quoted(self.unclear[0])}{more}"

    @property
    def line(self) -> str:
        """In one line; "" for Turnout's own columns, which need no telling."""
        if self.native:
            return f"{self.path}: {self.note}" if self.note else ""
        named = {
            side: sorted(name for name in self.sides if self.sides[name] == side and name != side) for side in SIDES
        }
        sides = ", ".join(f"{side} = {' and '.join(names)}" for side, names in named.items() if names)
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
        for side, name in pairs:
            others = {columns.cheap, columns.expensive} - {name}
            named = _named(name, _alike(models, examples), understanding.path) if name else []
            understanding.sides |= {each: side for each in named if each not in others}
    elif tiers is not None:
        known = {short_model(name): side for side, name in zip(SIDES, tiers, strict=True)}
        understanding.sides |= {name: known[short_model(name)] for name in models if short_model(name) in known}
    elif graded := [name for name in understanding.models if name not in SIDES]:
        understanding.sides |= _by_price(understanding, examples, graded, price_of)


def _by_price(
    understanding: Understanding, examples: Sequence[Example], models: Sequence[str], price_of: PriceOf
) -> dict[str, str]:
    # Two names are two models, whatever they share: one model at two providers may be compared.
    several = [[name] for name in models] if len(models) == 2 else _alike(models, examples)
    alike = {min(each, key=len): each for each in several}
    names = list(alike)
    sure = _cheap_first(names, lambda name: _price_within(name, price_of)) or _cheap_first(
        names, lambda name: _mean_usd(examples, alike[name])
    )
    if sure:
        return {each: side for name, side in zip(sure, SIDES, strict=True) for each in alike[name]}
    if len(names) == 1:
        understanding.labelled = False
        return {}
    shown = ", ".join(name for name, _ in understanding.models.most_common(8))
    others = "or others" if len(names) > 2 else "or the other way round"
    raise LogError(
        f"{understanding.path}: read as {understanding.title}, it grades the models {shown}: say which two they are: "
        f"--cheap {quoted(names[0])} --expensive {quoted(names[1])}, {others}"
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


def _mean_usd(examples: Iterable[Example], names: Sequence[str]) -> float | None:
    try:
        known = (example.usd.get(name) for example in examples for name in names)
        costs = [number(usd, "cost") for usd in known if not is_missing(usd)]
    except ValueError:
        return None
    return sum(costs) / len(costs) if costs else None


def _alike(models: Sequence[str], examples: Iterable[Example]) -> list[list[str]]:
    """The names by the models that they are of. Two that answered one question are two models."""
    answered: dict[str, set[str]] = {}
    for example in examples:
        answered.setdefault(str(example.prompt), set()).update([*example.grades, *example.answers])
    return [
        each
        for names in spellings(models)
        for each in (
            [[name] for name in names] if any(len(found & set(names)) > 1 for found in answered.values()) else [names]
        )
    ]


def _named(name: str, models: Sequence[Sequence[str]], path: Path) -> Sequence[str]:
    """The names in the log of the model that this name means, with or without its provider and its date. models: its
    names, by the models that they are of. Raises LogError where it means none, or several."""
    every = [each for names in models for each in names]
    alike = same_models(name, every)
    for names in models:
        if alike and set(alike) <= set(names):
            return [each for each in names if name not in names or short_model(each) == short_model(name)]
    shown = ", ".join(sorted(alike or every)[:8])
    raise LogError(
        f"{path}: {name} may be {shown}; pass the one that is meant"
        if alike
        else f"{path}: no answer of {name}; it tells of {shown}"
    )


def quoted(name: str) -> str:
    return f"'{name}'" if any(character in name for character in ' |;&()$<>*?"\\') else name
