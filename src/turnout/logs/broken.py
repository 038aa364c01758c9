"""A record as it was read, and what stands for one that could not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnout.errors import LogError

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows that hold no values, and why.

    rows: how many are lost by it. off_scale: a grade outside of its scale. promptless: whether it is whole, but logged
    without its prompt.
    """

    reason: str
    rows: int = 1
    off_scale: float | None = None
    promptless: bool = False


def check_names(names: Sequence[str]) -> None:
    """Raises LogError for columns that cannot be told apart, or read."""
    if any("\udc80" <= character <= "\udcff" for name in names for character in name):
        raise LogError("its header is not UTF-8; convert the file from what it is: iconv -f ENCODING -t UTF-8")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise LogError(f"the column {twice[0]!r} stands twice in the header; rename or remove one")
