"""`POST /v1/completions`: OpenAI's legacy protocol for the same requests and answers."""

from __future__ import annotations

from turnout.api.chat import Chat, check_content_type
from turnout.api.exchange import AnswerEvents, ApiReply, ApiRequest, Reply
from turnout.api.response_headers import outcome_headers
from turnout.openai.answers import dumps
from turnout.openai.requests import decode
from turnout.wires.completions import CompletionEvents, to_chat, to_completion


class Completions:
    """Answers a prompt as a chat of one message."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def answer(self, request: ApiRequest) -> Reply:
        """The reply to `POST /v1/completions`: JSON, or events where the body asks for a stream. Raises ServedError."""
        check_content_type(request)
        body = decode(request.body)
        chat = await self._chat.translated(request, to_chat(body))
        context = self._chat.context_of(request)
        if chat.stream:
            options = body.get("stream_options") or {}
            events = CompletionEvents(include_usage=bool(options.get("include_usage")))
            return AnswerEvents(await self._chat.stream(chat, context), events)
        completion = await self._chat.complete(chat, context)
        answer = dumps(to_completion(completion.to_openai()))
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=answer)
