"""`POST /v1/completions`: OpenAI's legacy protocol for the same requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from turnout.api.chat import Chat
from turnout.api.exchange import ApiRequest, JobOrigin, Reply
from turnout.openai.answers import Body
from turnout.wires.completions import CompletionEvents, to_chat, to_completion


class Completions:
    """Answers a prompt as a chat of one message. Implements WireAdapter."""

    name = "completions"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers an old completion over chat: JSON, or events where the body asks for a stream. Raises ServedError."""
        body = self._chat.decoded(request)
        asked = {"stream_options": body.get("stream_options")}
        return await self._chat.answer_in(
            self, request, to_chat(body, self._chat.conversation_fields), partial(_events, asked), to_completion, asked
        )

    def result(self, completion: Body, job: JobOrigin) -> Body:
        return to_completion(completion)

    def translator(self, job: JobOrigin) -> CompletionEvents:
        return _events(job.asked)

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        return {"error": dict(error)}


def _events(body: Mapping[str, Any]) -> CompletionEvents:
    options = body.get("stream_options") or {}
    return CompletionEvents(include_usage=bool(options.get("include_usage")))
