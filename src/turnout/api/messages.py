"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's protocol for the same requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.api.chat import Chat, check_content_type
from turnout.api.exchange import ApiReply, ApiRequest, JobOrigin, Reply, json_reply, note_refused
from turnout.errors import ServedError
from turnout.openai.answers import Body, dumps
from turnout.openai.prompt_floor import characters
from turnout.openai.requests import from_mapping
from turnout.ports.runtime import Observer
from turnout.wires.messages_answer import MessageEvents, error_body, to_error, to_message
from turnout.wires.messages_request import to_chat

# Of English text; no tokenizer runs here.
_CHARACTERS_A_TOKEN = 4


class AnthropicMessages:
    """Answers Anthropic's requests as chat completions. Every error has Anthropic's shape. Implements WireAdapter."""

    name = "messages"

    def __init__(self, chat: Chat, observer: Observer) -> None:
        self._chat = chat
        self._observer = observer

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers a message, as Anthropic's: JSON, or events where the body asks for a stream."""
        try:
            return await self._answer(request)
        except ServedError as error:
            return self._error_reply(error, request)

    async def count(self, request: ApiRequest) -> Reply:
        """Estimates a message's tokens by the length of all that is sent."""
        try:
            check_content_type(request)
            chat = from_mapping(
                to_chat({"max_tokens": 1, **self._chat.decoded(request)}, self._chat.conversation_fields)
            )
        except ServedError as error:
            return self._error_reply(error, request)
        size = characters(chat.messages) + len(dumps({"tools": chat.params.get("tools") or []})) - len('{"tools":[]}')
        return json_reply(
            200, {"input_tokens": -(-size // _CHARACTERS_A_TOKEN)}, [("x-request-id", request.request_id)]
        )

    async def _answer(self, request: ApiRequest) -> Reply:
        check_content_type(request)
        chat = to_chat(self._chat.decoded(request), self._chat.conversation_fields)
        return await self._chat.answer_in(self, request, chat, MessageEvents, to_message)

    def result(self, completion: Body, job: JobOrigin) -> Body:
        return to_message(completion)

    def translator(self, job: JobOrigin) -> MessageEvents:
        return MessageEvents()

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        return error_body(error, status, request_id)

    def _error_reply(self, error: ServedError, request: ApiRequest) -> ApiReply:
        note_refused(self._observer, error)
        headers = [("x-request-id", request.request_id), *error.told_headers]
        return json_reply(error.told_status, to_error(error, request.request_id), headers, error)
