"""Cuts what goes to a store into pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """The items in tuples of at most so many."""
    left = iter(items)
    while some := tuple(islice(left, size)):
        yield some
