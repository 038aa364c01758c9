"""`GET /v1/models` and `GET /v1/models/{id}`: every name that a request's `model` may be, and what it holds."""

from __future__ import annotations

from collections.abc import Callable

from turnout.api.exchange import ApiReply, ApiRequest, json_reply
from turnout.errors import ModelNotFound
from turnout.openai.answers import Body
from turnout.openai.usage import TokenLimits


class ModelList:
    """Answers with model objects. names: `auto`, the tiers, the configured names and the aliases. models_of: the
    configured models behind a name. limits: by configured model name."""

    def __init__(
        self,
        names: tuple[str, ...],
        models_of: Callable[[str], tuple[str, ...]],
        limits: Callable[[str], TokenLimits],
    ) -> None:
        self._names = names
        self._models_of = models_of
        self._limits = limits

    async def list_all(self, request: ApiRequest) -> ApiReply:
        """Lists what a caller may name: `auto`, `cheap`, `expensive`, the configured models and aliases."""
        listing = {"object": "list", "data": [self._model_object(name) for name in self._names]}
        return json_reply(200, listing, [("x-request-id", request.request_id)])

    async def retrieve(self, request: ApiRequest) -> ApiReply:
        """Describes the model that the path ends with; a name may hold slashes. Raises ModelNotFound."""
        name = request.path.partition("/models/")[2]
        if name not in self._names:
            raise ModelNotFound(f"the model {name[:80]!r} does not exist here", param="model")
        return json_reply(200, self._model_object(name), [("x-request-id", request.request_id)])

    def _model_object(self, name: str) -> Body:
        """With the largest window and the longest answer of the models behind the name, in tokens, where known."""
        body: Body = {"id": name, "object": "model", "created": 0, "owned_by": "turnout"}
        limits = [self._limits(model) for model in self._models_of(name)]
        windows = [limit.input for limit in limits if limit.input is not None]
        outputs = [limit.output for limit in limits if limit.output is not None]
        if windows:
            body["context_window"] = max(windows)
        if outputs:
            body["max_output_tokens"] = max(outputs)
        return body
