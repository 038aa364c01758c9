"""The scorer that the doors' tests mount: "hard" is hard, all else is easy."""

from __future__ import annotations

from turnout.testing import FixedScorer


def hard_or_easy() -> FixedScorer:
    return FixedScorer(0.1, scores={"hard": 0.9})
