"""`[routing.cascade]`: the cheap answer is read first, and asked again of the expensive tier where it is doubted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turnout.settings.bounds import check_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """mode: `shadow` verifies and says what it thinks, and acts on none of it. streams: whether a stream is held until
    its cheap answer is verified, or decided by its question. second_sample: whether a second cheap answer is asked for
    beside the first where that pays, as a sign of whether that is right. max_held_share: of the requests that may wait
    for an expensive call."""

    # It pays on some traffic only: who switches it on has trained a verifier.
    mode: Literal["off", "shadow", "on"] = "off"
    # A held stream begins when the cheap answer is whole: not what a reader of streams expects.
    streams: Literal["skip", "hold"] = "skip"
    # It needs a verifier that was trained on pairs of answers.
    second_sample: Literal["off", "auto"] = "off"
    max_held_share: float = 0.5

    def __post_init__(self) -> None:
        check_share(self, "max_held_share")
