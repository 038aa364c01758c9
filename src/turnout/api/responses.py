"""`/v1/responses`: OpenAI's Responses protocol for the same requests and answers, and the responses that are kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from turnout.api.chat import Chat, check_content_type
from turnout.api.exchange import AnswerEvents, ApiReply, ApiRequest, Reply, WireJob, json_reply
from turnout.api.response_headers import outcome_headers
from turnout.caching.kept_responses import KeptResponse, ResponseStore
from turnout.context import RequestContext
from turnout.errors import InvalidRequest, NotFound
from turnout.openai.answers import Body, dumps
from turnout.openai.completion import Response
from turnout.openai.requests import decode, from_mapping
from turnout.wires.responses_answer import ResponseEvents, output_messages, to_response
from turnout.wires.responses_request import to_chat


class ResponsesApi:
    """Answers Responses requests as chat completions, and keeps what may be continued. Implements JobWire."""

    name = "responses"

    def __init__(self, chat: Chat, store: ResponseStore, path: str) -> None:
        self._chat = chat
        self._store = store
        self._path = path

    async def answer(self, request: ApiRequest) -> Reply:
        """The reply to `POST /v1/responses`: JSON, or events where the body asks for a stream. Raises ServedError."""
        check_content_type(request)
        body = decode(request.body)
        earlier = await self._earlier(request.caller.user_key, body.get("previous_response_id"))
        chat = await self._chat.translated(request, to_chat(body, earlier))
        context, response_id = self._chat.context_of(request), f"resp_{secrets.token_hex(24)}"
        submissions = self._chat.submissions
        if submissions is not None and submissions.wants(request, self):
            asked = {name: value for name, value in body.items() if name != "input"}
            return await submissions.accept(request, chat, context, self, asked)
        keep = partial(self._keep, body, chat.messages, request.caller.user_key)
        if chat.stream:
            events = ResponseEvents(body, response_id)
            stream = await self._chat.stream(chat, context)
            return AnswerEvents(stream, events, lambda: keep(events.response))
        completion = await self._chat.complete(chat, context)
        response = to_response(completion.to_openai(), body, response_id)
        await keep(response)
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=dumps(response))

    async def respond(self, body: Mapping[str, Any], context: RequestContext) -> Response:
        """The Response to a body as `POST /v1/responses` takes it, for the app's own code. Raises ServedError."""
        owner = context.caller.user_key
        earlier = await self._earlier(owner, body.get("previous_response_id"))
        chat = from_mapping(to_chat(body, earlier))
        completion = await self._chat.complete(chat, context)
        response = to_response(completion.to_openai(), body, f"resp_{secrets.token_hex(24)}")
        await self._keep(body, chat.messages, owner, response)
        return Response(response, completion.outcome)

    async def result(self, completion: Body, job: WireJob) -> Body:
        response = to_response(completion, job.asked, response_id_of(job.id))
        await self._keep(job.asked, job.messages, job.user, response)
        return response

    def translator(self, job: WireJob) -> ResponseEvents:
        # Kept with the result.
        return ResponseEvents(job.asked, response_id_of(job.id))

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        return {"error": dict(error)}

    async def _keep(
        self, body: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], owner: str, response: Body
    ) -> None:
        if body.get("store") is False:
            return
        # As they were sent, but for the instructions, which are each request's own.
        said = sent[1:] if body.get("instructions") else sent
        messages = [*said, *output_messages(response["output"])]
        await self._store.put(response["id"], KeptResponse(owner, response, messages), self._path)

    async def one(self, request: ApiRequest) -> Reply:
        """The reply to `GET` and `DELETE /v1/responses/{id}`. Raises NotFound for one that is not kept, or another
        user's."""
        response_id = request.path.rstrip("/").rpartition("/")[2]
        kept = await self._kept(request.caller.user_key, response_id)
        headers = [("x-request-id", request.request_id)]
        if request.method == "DELETE":
            await self._store.drop(response_id)
            return json_reply(200, {"id": response_id, "object": "response", "deleted": True}, headers)
        return ApiReply(status=200, headers=headers, body=dumps(kept.body))

    async def _kept(self, owner: str, response_id: str) -> KeptResponse:
        kept = await self._store.get(response_id, owner)
        if kept is None:
            raise NotFound(f"no response with the id {response_id[:80]!r} is kept here", param="id")
        return kept

    async def _earlier(self, owner: str, response_id: Any) -> list[Mapping[str, Any]]:
        if response_id is None:
            return []
        if not isinstance(response_id, str):
            raise InvalidRequest("previous_response_id must be a text", param="previous_response_id")
        try:
            return list((await self._kept(owner, response_id)).messages)
        except NotFound as error:
            raise NotFound(str(error), param="previous_response_id") from None


def response_id_of(job_id: str) -> str:
    """The id of the Response that this job ends with."""
    return f"resp_{job_id.removeprefix('job_')}"
