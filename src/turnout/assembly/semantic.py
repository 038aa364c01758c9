"""Builds the parts of the semantic cache; imported only where the settings switch it on."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from turnout.caching.keys import model_shape
from turnout.caching.semantic.batched_embedder import BatchedEmbedder
from turnout.caching.semantic.candidates import Candidates
from turnout.caching.semantic.embedders import MINILM, CallableEmbedder, MinilmEmbedder, WordllamaEmbedder
from turnout.caching.semantic.error_bound import LEVELS, ErrorBound
from turnout.caching.semantic.guarded_embedder import GuardedEmbedder
from turnout.caching.semantic.judging import INSTRUCTION
from turnout.caching.semantic.similar import SimilarQuestions
from turnout.caching.semantic.verifier import SHIPPED, PairVerifier, load_verifier
from turnout.openai.messages import canonical_json
from turnout.ports.runtime import Clock
from turnout.ports.semantic import CheckStore, Embedder, SemanticStore
from turnout.settings import Settings

# Asks this model for the vectors of these texts, within so many seconds.
EmbedTexts = Callable[[str, Sequence[str], float], Awaitable[list[list[float]]]]


def build_similar(
    settings: Settings,
    clock: Clock,
    store: SemanticStore,
    checks: CheckStore | None,
    policy: bytes,
    ask: EmbedTexts,
    embedder: Callable[[str], Any] | None,
) -> SimilarQuestions:
    """The similar questions of one process. policy: a digest of what answers. embedder: in the place of the one that
    the settings name. Raises SettingsError, ArtifactError."""
    semantic = settings.cache.semantic
    vectors = _vectors(settings) if embedder is None else _name_of(embedder)
    verifier = load_verifier(semantic.verifier or SHIPPED)
    error_bound = ErrorBound(semantic.max_error, shared=checks is not None)
    # Of another verifier the levels say another thing, of other models the answers differ otherwise, and of another
    # judge `differ` does.
    of = hashlib.blake2b(_checked(settings, vectors, verifier), digest_size=16, key=policy).hexdigest()
    guarded = GuardedEmbedder(
        _embedder(settings, clock, ask) if embedder is None else CallableEmbedder(embedder),
        clock,
        timeout_s=semantic.embedder_timeout_s,
        failures=settings.breaker.failures,
        reset_s=settings.breaker.reset_s,
    )
    return SimilarQuestions(
        vectors=vectors,
        embedder=guarded,
        store=store,
        candidates=Candidates(verifier),
        error_bound=error_bound,
        now=clock.time,
        checks=None if checks is None else (checks, of),
    )


def _checked(settings: Settings, vectors: str, verifier: PairVerifier) -> bytes:
    """What the sums of checks are of, but for the policy."""
    parts = [vectors, str(LEVELS), verifier.dumps()]
    if judge := settings.judge_model:
        parts += [settings.deployment(judge), INSTRUCTION, _section(settings, judge)]
    return "\0".join(parts).encode()


def _vectors(settings: Settings) -> str:
    """What names the embedder: a model with the parameters of its section."""
    semantic = settings.cache.semantic
    section = _section(settings, semantic.embedding_model) if semantic.embedding_model else ""
    return f"{semantic.embedder} {section}".rstrip()


def _section(settings: Settings, model: str) -> str:
    section = settings.models.get(model)
    return "" if section is None else canonical_json(model_shape(section)).decode()


def _embedder(settings: Settings, clock: Clock, ask: EmbedTexts) -> Embedder:
    semantic = settings.cache.semantic
    if model := semantic.embedding_model:
        return BatchedEmbedder(partial(_in_time, ask, model, semantic.embedder_timeout_s), clock)
    return MinilmEmbedder() if semantic.embedder == MINILM else WordllamaEmbedder()


async def _in_time(ask: EmbedTexts, model: str, timeout_s: float, texts: Sequence[str]) -> list[list[float]]:
    # Over before the first of those who wait gives up, so that each is told the reason.
    return await ask(model, texts, 0.9 * timeout_s)


def _name_of(function: Callable[..., object]) -> str:
    """Where it is defined; of an object that can be called, its class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
