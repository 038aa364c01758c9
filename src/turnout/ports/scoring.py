"""Scoring a request: the query, the score and the scorer, as routing, training and the logs know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from turnout.openai.messages import Message, as_messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the scorer sees of a request.

    tag: the app's own name for the kind of request; "": none. endpoint: where the request came from; used in place
    of a tag that is missing or unknown to the scorer. tools: how many are offered.
    """

    messages: tuple[Message, ...]
    tag: str = ""
    endpoint: str = ""
    tools: int = 0

    @classmethod
    def from_text(cls, text: str, tag: str = "") -> Query:
        """Returns the query of one plain user message."""
        return cls(messages=as_messages(text), tag=tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A scorer's answer.

    score: the expected gain's rank among the training logs, in [0, 1]. expected_gain: in [-1, 1].
    novelty: 0 (like the logs) to 1. novel: unlike enough that the score must not be trusted.
    tag_score, tag_gain: predicted from the tag alone; for an unknown tag 0.5 and the logs' mean gain.
    """

    score: float
    expected_gain: float
    novelty: float = 0.0
    novel: bool = False
    tag_score: float = 0.5
    tag_gain: float = 0.0


class Scorer(Protocol):
    """Scores how much a request gains from the expensive tier. Synchronous: microseconds, no I/O."""

    @property
    def version(self) -> str:
        """Changes whenever the same request could get another score; part of every cache key."""
        ...

    @property
    def is_default(self) -> bool:
        """Whether this is the prior that ships with the library, not trained on the app's own logs."""
        ...

    def score(self, query: Query) -> Score: ...
