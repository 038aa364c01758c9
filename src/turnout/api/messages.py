"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's protocol for the same requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from turnout.api.chat import Chat
from turnout.api.exchange import ApiReply, ApiRequest, JobOrigin, Reply, json_reply, note_refused
from turnout.errors import ServedError
from turnout.openai.answers import Body, dumps
from turnout.openai.prompt_floor import characters
from turnout.openai.requests import from_mapping
from turnout.ports.runtime import Observer
from turnout.wires.messages_answer import MessageEvents, anthropic_error, to_error, to_message
from turnout.wires.messages_request import to_chat

# Of English text; no tokenizer runs here.
_CHARACTERS_A_TOKEN = 4
# The most that Anthropic counts for an image, and for a page of a document, whose number of pages nobody reads here.
_MEDIA_TOKENS = {"image_url": 1600, "file": 3000}


class AnthropicMessages:
    """Answers Anthropic's requests as chat completions; `error_reply` is for their errors. Implements WireAdapter."""

    name = "messages"

    def __init__(self, chat: Chat, observer: Observer) -> None:
        self._chat = chat
        self._observer = observer

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers a message, as Anthropic's: JSON, or events where the body asks for a stream. Raises ServedError."""
        chat = to_chat(self._chat.decoded(request), self._chat.conversation_fields)
        stop = chat.get("stop")
        stops = [each for each in stop if isinstance(each, str)] if isinstance(stop, list) else []
        return await self._chat.answer_in(
            self, request, chat, partial(MessageEvents, stops), partial(to_message, stops=stops)
        )

    async def count(self, request: ApiRequest) -> Reply:
        """Estimates a message's tokens by the length of all that is sent, and the number of its images and documents.
        Raises ServedError."""
        chat = from_mapping(to_chat({"max_tokens": 1, **self._chat.decoded(request)}, self._chat.conversation_fields))
        size = characters(chat.messages) + len(dumps({"tools": chat.params.get("tools") or []})) - len('{"tools":[]}')
        parts = [part for message in chat.messages for part in _parts(message.get("content"))]
        media = sum(_MEDIA_TOKENS.get(part.get("type", ""), 0) for part in parts)
        tokens = -(-size // _CHARACTERS_A_TOKEN) + media
        return json_reply(200, {"input_tokens": tokens}, [("x-request-id", request.request_id)])

    def error_reply(self, error: ServedError, request: ApiRequest) -> ApiReply:
        """The reply for an error, in Anthropic's shape; counted, where no outcome tells of it."""
        note_refused(self._observer, error)
        headers = [("x-request-id", request.request_id), *error.told_headers]
        return json_reply(error.told_status, to_error(error, request.request_id), headers, error)

    def result(self, completion: Body, job: JobOrigin) -> Body:
        return to_message(completion)

    def translator(self, job: JobOrigin) -> MessageEvents:
        return MessageEvents()

    def error_body(self, error: Mapping[str, Any], status: int, request_id: str) -> Body:
        return anthropic_error(error, status, request_id)


def _parts(content: Any) -> list[Mapping[str, Any]]:
    return content if isinstance(content, list) else []
