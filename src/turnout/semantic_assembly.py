"""Builds the parts of the semantic cache; imported only where the settings switch it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turnout.caching.semantic.candidates import Candidates
from turnout.caching.semantic.embedders import CallableEmbedder, WordllamaEmbedder
from turnout.caching.semantic.promise import Promise
from turnout.caching.semantic.similar import SimilarQuestions
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.ports.runtime import Clock
from turnout.ports.semantic import SemanticStore
from turnout.settings import Settings


def build_similar(
    settings: Settings, clock: Clock, store: SemanticStore, embedder: Callable[[str], Sequence[float]] | None
) -> SimilarQuestions:
    """The similar questions of one process. embedder: in the place of the one that the settings name. Raises
    SettingsError, ArtifactError."""
    semantic = settings.cache.semantic
    return SimilarQuestions(
        vectors=semantic.embedder if embedder is None else _name_of(embedder),
        embedder=WordllamaEmbedder() if embedder is None else CallableEmbedder(embedder),
        store=store,
        candidates=Candidates(load_verifier(semantic.verifier or SHIPPED)),
        promise=Promise(semantic.max_error),
        now=clock.time,
    )


def _name_of(function: Callable[..., object]) -> str:
    """Where it is defined; of an object that can be called, its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
