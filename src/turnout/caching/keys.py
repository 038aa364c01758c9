"""The cache key: everything that shapes an answer, and who may share it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Literal

from turnout.errors import InvalidRequest
from turnout.openai.embeddings import EmbeddingRequest
from turnout.openai.messages import canonical_json
from turnout.openai.requests import SHAPELESS, ChatRequest
from turnout.settings import Model, Settings

KEY_BYTES = 16


def policy_digest(settings: Settings, scorer_version: str) -> bytes:
    """16 bytes that change with the tiers, their models' own parameters, the routing target or the scorer.

    They are part of every key, so a change of any of these begins a new cache.
    """
    routing = settings.routing
    shaping = {
        "cheap": settings.tiers.cheap.models,
        "expensive": settings.tiers.expensive.models,
        # A judge's section, or an embedding model's, shapes no answer.
        "models": {name: model_shape(model) for name, model in settings.models.items() if name in settings.model_names},
        "routing_target": [routing.keep_quality, routing.max_expensive_share, routing.threshold],
        "scorer": scorer_version,
        **({} if routing.cascade.mode == "off" else {"cascade": repr(routing.cascade)}),
    }
    return hashlib.blake2b(canonical_json(shaping), digest_size=KEY_BYTES).digest()


def model_shape(model: Model) -> dict[str, Any]:
    """What of a model's section shapes its answers."""
    return {"max": model.max_output_tokens, **{f"param {name}": repr(value) for name, value in model.params.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKeys:
    """Makes cache keys under one policy digest. scope "user": the user is part of the key; "app": it is not.
    streams_apart: whether streams are answered by other rules than whole answers, and have entries of their own."""

    policy: bytes
    scope: Literal["user", "app"]
    streams_apart: bool = False

    def of_vectors(self, name: str) -> CacheKeys:
        """The keys of what is compared by the vectors of this embedder, which change with its name."""
        policy = hashlib.blake2b(name.encode(), digest_size=KEY_BYTES, key=self.policy).digest()
        return replace(self, policy=policy)

    def key(self, request: ChatRequest, *, model: str, tag: str, user: str) -> bytes:
        """The key of this request, 16 bytes. model: the resolved name, which is a tier, a model or `auto`. tag: the
        one that it is scored with, "" where it is not scored.

        Streaming or not is no part of it, unless `streams_apart`: one entry serves both. Raises InvalidRequest where
        the request is not plain JSON or not valid Unicode.
        """
        params = {name: _number(value) for name, value in request.params.items() if name not in SHAPELESS}
        if "max_tokens" not in params and "max_completion_tokens" in params:
            # Two names of one cap: other protocols than chat completions know one, each another.
            params["max_tokens"] = params.pop("max_completion_tokens")
        shaping = [
            model,
            request.messages,
            params,
            {name: value for name, value in request.extra.items() if name not in SHAPELESS},
            tag,
            [user] if self.scope == "user" else [],
        ]
        if request.beside_chat:
            shaping.append(request.beside_chat)
        if "threshold" in request.extension:
            # Of a caller who accepts the cheap tier's answer where others would not.
            shaping.append(request.extension["threshold"])
        if spared := sorted(request.optional & request.params.keys()):
            # Of a caller who accepts an answer that was made without them.
            shaping.append({"optional": spared})
        if self.streams_apart and request.stream:
            shaping.append("stream")
        # Keyed, so that the policy costs nothing a request and no caller can aim at another policy's keys.
        return hashlib.blake2b(canonical_json(shaping), digest_size=KEY_BYTES, key=self.policy).digest()


class VectorKeys:
    """Makes the keys of texts' vectors: of the model as its settings are, the parameters that shape a vector, the text
    and, under scope "user", the user."""

    def __init__(self, settings: Settings) -> None:
        self._shapes = {name: model_shape(model) for name, model in settings.models.items()}
        self._policy = hashlib.blake2b(b"vectors", digest_size=KEY_BYTES).digest()
        self._scope = settings.cache.scope

    def keys(self, request: EmbeddingRequest, *, model: str, user: str) -> list[bytes]:
        """One key an input, 16 bytes each. model: the configured name. Raises InvalidRequest where an input is not
        valid Unicode."""
        shaping = [model, self._shapes.get(model), dict(request.shaping), [user] if self._scope == "user" else []]
        begun = hashlib.blake2b(canonical_json(shaping), digest_size=KEY_BYTES, key=self._policy)
        keys = []
        for index, item in enumerate(request.inputs):
            digest = begun.copy()
            try:
                digest.update(item.encode() if isinstance(item, str) else b"\xff" + canonical_json(item))
            except UnicodeEncodeError as error:
                message = "the request holds text that is not valid Unicode (a lone surrogate)"
                raise InvalidRequest(message, param=f"input[{index}]") from error
            keys.append(digest.digest())
        return keys


def _number(value: Any) -> Any:
    """The value, as an integer where it is whole: 1.0 and 1 are one temperature."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
