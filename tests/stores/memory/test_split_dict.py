"""Large dicts that never hold the event loop: the same as dicts, part by part."""

from __future__ import annotations

import gc
import random
import time
from collections import OrderedDict

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


def test_no_addition_takes_long() -> None:
    """Of 200,000 none takes as long as one dict's growth; where the processor was taken away once, not twice."""
    keys = [number.to_bytes(16, "big") for number in range(200_000)]

    def slowest() -> float:
        split, aged, worst = SplitDict[bytes, int](), AgedKeys[bytes](), 0
        for number, key in enumerate(keys):
            began = time.thread_time_ns()
            split[key] = number
            aged.add(key)
            worst = max(worst, time.thread_time_ns() - began)
        return worst / 1e6

    gc.disable()
    try:
        assert min(slowest() for _ in range(3)) < 2.0
    finally:
        gc.enable()
