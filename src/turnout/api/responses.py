"""`/v1/responses`: OpenAI's Responses protocol for the same requests and answers, and the responses that are kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from turnout.api.background import asked_of, check_background, job_id_of, kept_of, response_id_of, response_of
from turnout.api.chat import Chat
from turnout.api.exchange import AnswerEvents, ApiReply, ApiRequest, JobOrigin, Reply, json_reply
from turnout.api.response_headers import outcome_headers
from turnout.caching.kept_responses import KeptResponse, ResponseStore
from turnout.context import RequestContext
from turnout.errors import InvalidRequest, MethodNotAllowed, NotFound, TooLarge
from turnout.openai.answers import Body, dumps
from turnout.openai.completion import Response
from turnout.openai.messages import shorten
from turnout.openai.requests import ChatRequest, from_mapping
from turnout.openai.response_items import turn_of
from turnout.ports.jobs import Job
from turnout.wires.responses_answer import ResponseEvents, to_response
from turnout.wires.responses_request import beside_chat, to_chat


class ResponsesApi:
    """Answers Responses requests as chat completions, and keeps what may be continued. Implements WireAdapter.

    own_endpoint: whether a model may be asked over its provider's own Responses endpoint."""

    name = "responses"

    def __init__(
        self,
        chat: Chat,
        store: ResponseStore,
        path: str,
        max_body_bytes: int,
        own_endpoint: Callable[[], bool] = lambda: False,
    ) -> None:
        self._chat = chat
        self._store = store
        self._path = path
        self._max_body_bytes = max_body_bytes
        self._own_endpoint = own_endpoint

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers a response, as OpenAI's: JSON, or events where the body asks for a stream. Raises ServedError."""
        body = self._chat.decoded(request)
        earlier, size = await self._earlier(request.caller.user_key, body.get("previous_response_id"))
        if (size := size + len(request.body)) > self._max_body_bytes:
            raise TooLarge(f"the body and the response that it continues are larger than {self._max_body_bytes} bytes")
        submissions = self._chat.submissions
        background = submissions is not None and body.get("background") is True
        if background:
            check_background(body)
        # Without a queue it is refused.
        now = {**body, "background": not background and body.get("background")}
        chat = self._with_beside(await self._chat.translated(request, self._to_chat(now, earlier), size), body)
        context = self._chat.context_of(request)
        if submissions is not None and (background or submissions.wants(request, self)):
            asked = {name: value for name, value in body.items() if name != "input"}
            if background:
                job = await submissions.begin(request, chat, context, self, asked)
                return json_reply(200, response_of(job, asked), [("x-request-id", request.request_id)])
            return await submissions.accept(request, chat, context, self, asked)
        if chat.stream:
            events = ResponseEvents(body, _new_id())
            stream = await self._chat.stream(chat, context)
            keep = partial(self._keep, body, chat.messages, request.caller.user_key)
            return AnswerEvents(stream, events, lambda: keep(events.response))
        response = await self._complete(body, chat, context)
        return ApiReply(status=200, headers=outcome_headers(response.outcome), body=dumps(response.to_openai()))

    async def respond(self, body: Mapping[str, Any], context: RequestContext) -> Response:
        """The Response to a body as `POST /v1/responses` takes it, for the app's own code. Raises ServedError."""
        earlier, _ = await self._earlier(context.caller.user_key, body.get("previous_response_id"))
        chat = self._with_beside(from_mapping(self._to_chat(body, earlier)), body)
        return await self._complete(body, chat, context)

    def _to_chat(self, body: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        fields = self._chat.conversation_fields
        return to_chat(body, earlier, own_endpoint=self._own_endpoint(), conversation_fields=fields)

    def _with_beside(self, chat: ChatRequest, body: Mapping[str, Any]) -> ChatRequest:
        return replace(chat, beside_chat=beside_chat(body)) if self._own_endpoint() else chat

    async def _complete(self, body: Mapping[str, Any], chat: ChatRequest, context: RequestContext) -> Response:
        completion = await self._chat.complete(chat, context)
        response = to_response(completion.to_openai(), body, _new_id())
        await self._keep(body, chat.messages, context.caller.user_key, response)
        return Response(response, completion.outcome)

    def result(self, completion: Body, job: JobOrigin) -> Body:
        response = to_response(completion, job.asked, response_id_of(job.id))
        if job.asked.get("background"):
            response["background"] = True
        # Shown and continued from the job's result: whatever deletes the job deletes the response.
        return response

    def translator(self, job: JobOrigin) -> ResponseEvents:
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
        messages = [*said, *turn_of(response["output"])]
        await self._store.put(response["id"], KeptResponse(owner, response, messages), self._path)

    async def one(self, request: ApiRequest) -> Reply:
        """Shows (GET) and deletes (DELETE) a kept response; POST to `/cancel` below it cancels one. Raises NotFound for
        one that is not kept, or another user's."""
        *_, before, last = request.path.rstrip("/").split("/")
        owner, headers = request.caller.user_key, [("x-request-id", request.request_id)]
        if before.startswith("resp_") and (request.method != "POST" or last != "cancel"):
            raise NotFound(f"no {shorten(last)} of a response is served here, only the response itself", param="id")
        if request.method == "POST":
            if last != "cancel":
                raise MethodNotAllowed("this path takes GET, DELETE, not POST", headers=(("allow", "GET, DELETE"),))
            return json_reply(200, await request.waits(self._cancel(owner, before)), headers)
        if request.method == "DELETE":
            await self._delete(owner, last)
            return json_reply(200, {"id": last, "object": "response", "deleted": True}, headers)
        kept = await self._store.get(last, owner)
        if kept is not None:
            return ApiReply(status=200, headers=headers, body=dumps(kept.body))
        return json_reply(200, response_of(*await self._job(owner, last)), headers)

    async def _kept(self, owner: str, response_id: str) -> KeptResponse:
        kept = await self._store.get(response_id, owner)
        if kept is not None:
            return kept
        job, asked = await self._job(owner, response_id)
        if job.status != "done":
            raise NotFound(f"the response {response_id[:80]!r} has no answer", param="id")
        return kept_of(job, asked)

    async def _job(self, owner: str, response_id: str) -> tuple[Job, Mapping[str, Any]]:
        """The job that a response is of, and the body that asked for it. Raises NotFound."""
        submissions = self._chat.submissions
        job = None if submissions is None else await submissions.look_up(job_id_of(response_id))
        asked = None if job is None else asked_of(job, owner)
        if job is None or asked is None:
            raise NotFound(f"no response with the id {response_id[:80]!r} is kept here", param="id")
        return job, asked

    async def _cancel(self, owner: str, response_id: str) -> Body:
        job, asked = await self._job(owner, response_id)
        assert self._chat.submissions is not None
        return response_of(await self._chat.submissions.cancel(job) or job, asked)

    async def _delete(self, owner: str, response_id: str) -> None:
        kept = await self._store.get(response_id, owner)
        if kept is not None:
            await self._store.drop(response_id)
        try:
            job, _ = await self._job(owner, response_id)
        except NotFound:
            if kept is None:
                raise
            return
        assert self._chat.submissions is not None
        await self._chat.submissions.forget(job)

    async def _earlier(self, owner: str, response_id: Any) -> tuple[list[Mapping[str, Any]], int]:
        """The messages of the response that is continued, and how many bytes it is kept in. Raises NotFound."""
        if response_id is None:
            return [], 0
        if not isinstance(response_id, str):
            raise InvalidRequest("previous_response_id must be a text", param="previous_response_id")
        try:
            kept = await self._kept(owner, response_id)
        except NotFound as error:
            raise NotFound(str(error), param="previous_response_id") from None
        return list(kept.messages), kept.size


def _new_id() -> str:
    return f"resp_{secrets.token_hex(24)}"
