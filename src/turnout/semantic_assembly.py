"""Builds the parts of the semantic cache; imported only where the settings switch it on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from turnout.caching.semantic.candidates import Candidates
from turnout.caching.semantic.embedders import CallableEmbedder, WordllamaEmbedder
from turnout.caching.semantic.promise import LEVELS, Promise
from turnout.caching.semantic.shared_promise import SharedPromise
from turnout.caching.semantic.similar import SimilarQuestions
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.ports.runtime import Clock
from turnout.ports.semantic import CheckStore, SemanticStore
from turnout.settings import Settings


def build_similar(
    settings: Settings,
    clock: Clock,
    store: SemanticStore,
    checks: CheckStore | None,
    policy: bytes,
    embedder: Callable[[str], Sequence[float]] | None,
) -> SimilarQuestions:
    """The similar questions of one process. policy: a digest of what answers. embedder: in the place of the one that
    the settings name. Raises SettingsError, ArtifactError."""
    semantic = settings.cache.semantic
    vectors = semantic.embedder if embedder is None else _name_of(embedder)
    verifier, promise = load_verifier(semantic.verifier or SHIPPED), Promise(semantic.max_error)
    # Of another verifier the levels say another thing, of other models the answers differ otherwise.
    of = hashlib.blake2b(f"{vectors}\0{LEVELS}\0{verifier.dumps()}".encode(), digest_size=16, key=policy).hexdigest()
    return SimilarQuestions(
        vectors=vectors,
        embedder=WordllamaEmbedder() if embedder is None else CallableEmbedder(embedder),
        store=store,
        candidates=Candidates(verifier),
        promise=promise,
        now=clock.time,
        shared=None if checks is None else SharedPromise(promise, checks, of),
    )


def _name_of(function: Callable[..., object]) -> str:
    """Where it is defined; of an object that can be called, its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
