"""What a request's tag alone tells of its gain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from turnout.routing.features import Floats


def tag_means(gain: Floats, tags: Sequence[str]) -> dict[str, float]:
    """Each tag's mean less the mean of all, shrunk: one-way random effects, by moments."""
    by_tag: dict[str, list[float]] = defaultdict(list)
    middle = float(gain.mean())
    for value, tag in zip(gain, tags, strict=True):
        by_tag[tag].append(float(value) - middle)
    tag_count, rows = len(by_tag), len(gain)
    if tag_count < 2 or rows <= tag_count:
        return {}
    counts = np.array([len(values) for values in by_tag.values()], dtype=np.float64)
    means = np.array([np.mean(values) for values in by_tag.values()])
    within = sum(float(np.var(values)) * len(values) for values in by_tag.values()) / (rows - tag_count)
    typical = (rows - float((counts**2).sum()) / rows) / (tag_count - 1)
    between = (float((counts * means**2).sum()) / (tag_count - 1) - within) / typical
    if between <= 0:
        return {}
    shrunk = means * between / (between + within / counts)
    return {tag: float(mean) for tag, mean in zip(by_tag, shrunk, strict=True) if tag}
