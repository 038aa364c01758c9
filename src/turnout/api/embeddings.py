"""`POST /v1/embeddings`, and the same call for Turnout's own verbs and for litellm's provider."""

from __future__ import annotations

from turnout.api.chat import context_of, note
from turnout.api.exchange import ApiReply, ApiRequest, Reply
from turnout.api.response_headers import outcome_headers
from turnout.context import RequestContext
from turnout.openai.embeddings import EmbeddingRequest, Embeddings, parse_embedding
from turnout.pipeline.embeddings import EmbeddingPipeline


class EmbeddingsApi:
    """Answers with vectors. Each verb raises ServedError."""

    def __init__(self, pipeline: EmbeddingPipeline, max_params_bytes: int) -> None:
        self._pipeline = pipeline
        self._max_params_bytes = max_params_bytes

    async def embed(self, request: EmbeddingRequest, context: RequestContext) -> Embeddings:
        """The vectors of a parsed request."""
        embeddings = await self._pipeline.embed(request, context)
        note(embeddings.outcome)
        return embeddings

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers embeddings, by the very model that is named: none is routed."""
        asked = parse_embedding(request.body, max_params_bytes=self._max_params_bytes)
        embeddings = await self.embed(asked, context_of(request))
        headers = outcome_headers(embeddings.outcome)
        return ApiReply(status=200, headers=headers, body=embeddings.body(encoded=asked.encoded))
