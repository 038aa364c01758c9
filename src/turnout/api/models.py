"""`GET /v1/models` and `GET /v1/models/{id}`: every name that a request's `model` may be."""

from __future__ import annotations

from turnout.api.exchange import ApiReply, ApiRequest, json_reply
from turnout.errors import ModelNotFound
from turnout.openai.answers import Body


class Models:
    """Answers with model objects. names: `auto`, the tiers, the configured names and the aliases."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    async def list_all(self, request: ApiRequest) -> ApiReply:
        """The list of all of them."""
        listing = {"object": "list", "data": [_model_object(name) for name in self._names]}
        return json_reply(200, listing, [("x-request-id", request.request_id)])

    async def retrieve(self, request: ApiRequest) -> ApiReply:
        """The one whose name ends the path; a name may hold slashes. Raises ModelNotFound."""
        name = request.path.partition("/models/")[2]
        if name not in self._names:
            raise ModelNotFound(f"the model {name[:80]!r} does not exist here", param="model")
        return json_reply(200, _model_object(name), [("x-request-id", request.request_id)])


def _model_object(name: str) -> Body:
    return {"id": name, "object": "model", "created": 0, "owned_by": "turnout"}
