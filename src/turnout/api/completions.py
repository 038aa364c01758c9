"""`POST /v1/completions`: OpenAI's legacy protocol for the same requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.api.chat import Chat, check_content_type
from turnout.api.exchange import AnswerEvents, ApiReply, ApiRequest, Reply, WireJob
from turnout.api.response_headers import outcome_headers
from turnout.openai.answers import Body, dumps
from turnout.openai.requests import decode
from turnout.wires.completions import CompletionEvents, to_chat, to_completion


class Completions:
    """Answers a prompt as a chat of one message. Implements JobWire."""

    name = "completions"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def answer(self, request: ApiRequest) -> Reply:
        """The reply to `POST /v1/completions`: JSON, or events where the body asks for a stream. Raises ServedError."""
        check_content_type(request)
        body = decode(request.body)
        chat = await self._chat.translated(request, to_chat(body))
        context = self._chat.context_of(request)
        submissions = self._chat.submissions
        if submissions is not None and submissions.wants(request, self):
            return await submissions.accept(
                request, chat, context, self, {"stream_options": body.get("stream_options")}
            )
        if chat.stream:
            return AnswerEvents(await self._chat.stream(chat, context), _events(body))
        completion = await self._chat.complete(chat, context)
        answer = dumps(to_completion(completion.to_openai()))
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=answer)

    async def result(self, completion: Body, job: WireJob) -> Body:
        return to_completion(completion)

    def translator(self, job: WireJob) -> CompletionEvents:
        return _events(job.asked)

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        return {"error": dict(error)}


def _events(body: Mapping[str, Any]) -> CompletionEvents:
    options = body.get("stream_options") or {}
    return CompletionEvents(include_usage=bool(options.get("include_usage")))
