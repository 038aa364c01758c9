"""Large dicts that never hold the event loop: the same as dicts, part by part."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import Any

from turnout.stores.memory.split_dict import AgedKeys, SplitDict


def test_it_holds_what_a_dict_holds() -> None:
    """Through additions, replacements and removals by chance, small and large."""
    rng, split, whole = random.Random(1), SplitDict[int, str](), dict[int, str]()
    for step in range(20_000):
        key = rng.randrange(2_000 if step < 10_000 else 20)
        if rng.random() < 0.4:
            assert split.pop(key) == whole.pop(key, None)
        else:
            split[key] = whole[key] = str(step)
        assert (len(split), split.get(key), key in split) == (len(whole), whole.get(key), key in whole)
    assert {key: value for part in split.parts for key, value in part.items()} == whole
    assert all(split[key] == value for key, value in whole.items())


def test_it_knows_the_oldest() -> None:
    """As an OrderedDict does, whichever goes: the oldest, the newest, one in between, the last."""
    rng, aged, ordered = random.Random(2), AgedKeys[int](), OrderedDict[int, None]()
    for step in range(20_000):
        key = rng.randrange(600 if step < 10_000 else 3)
        if key in ordered:
            aged.remove(key)
            del ordered[key]
        if rng.random() < 0.6:
            aged.add(key)
            ordered[key] = None
        if step % 500 == 0 or step > 19_000:
            assert list(aged) == list(ordered)
        assert (len(aged), bool(aged), next(iter(aged), None)) == (
            len(ordered),
            bool(ordered),
            next(iter(ordered), None),
        )


def test_no_dict_of_them_grows_large() -> None:
    """A dict's growth takes as long as it is large: of 100,000 entries in parts, each is a hundredth at most."""
    split, aged = SplitDict[bytes, int](), AgedKeys[bytes]()
    for number in range(100_000):
        key = number.to_bytes(16, "big")
        split[key] = number
        aged.add(key)
    dicts: tuple[SplitDict[Any, Any], ...] = (split, aged._older, aged._newer)
    assert max(len(part) for each in dicts for part in each.parts) < 1000
