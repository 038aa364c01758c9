"""`POST /v1/chat/completions`, and the same two calls for Turnout's own verbs and for litellm's provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnout.api.exchange import AnswerEvents, ApiReply, ApiRequest, EventTranslator, Reply, Submissions, WireAdapter
from turnout.api.response_headers import outcome_headers
from turnout.context import RequestContext, current_request, parse_directives
from turnout.openai.answers import Body, dumps
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest, check_number, check_params, decode, from_mapping, parse
from turnout.pipeline.pipeline import Pipeline
from turnout.records import Outcome

# A larger body's steps (parsing, keying, sizing) take milliseconds each.
LARGE_BODY_BYTES = 65_536


class Chat:
    """Answers chat completions from the pipeline. Each verb raises ServedError.

    conversation_fields: fields of a body that name a conversation, beside those that every protocol has.
    """

    def __init__(
        self, pipeline: Pipeline, *, path: str, max_params_bytes: int, conversation_fields: Sequence[str] = ()
    ) -> None:
        self._pipeline = pipeline
        self.conversation_fields = conversation_fields
        # Set by assembly where there is a queue: takes requests that become jobs.
        self.submissions: Submissions | None = None
        self._path = path
        self._max_params_bytes = max_params_bytes

    async def complete(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The complete answer to a parsed request."""
        completion = await self._pipeline.complete(request, context)
        note(completion.outcome)
        return completion

    async def stream(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The chunks of the answer to a parsed request that asks for a stream, once the first with content is here."""
        stream = await self._pipeline.stream(request, context)
        note(stream.head)
        return stream

    def decoded(self, request: ApiRequest) -> Mapping[str, Any]:
        """The JSON object in the request's body, short enough to be translated. Raises InvalidRequest, and TooLarge."""
        value = decode(request.body, max_params_bytes=self._max_params_bytes)
        if len(request.body) > LARGE_BODY_BYTES:
            check_number(value)
        return value

    async def translated(self, request: ApiRequest, value: Mapping[str, Any], size: int = 0) -> ChatRequest:
        """The request that another protocol's body asks for, written as a chat completion's. size: how many bytes it
        was made of; 0: the body's alone."""
        size = max(size, len(request.body))
        if size > self._max_params_bytes:
            check_params(value, self._max_params_bytes)
        # Its usage is part of what the other protocols stream.
        return replace(await self._prepared(request, from_mapping(value)), include_usage=True, size=size)

    async def answer_in(
        self,
        wire: WireAdapter,
        request: ApiRequest,
        value: Mapping[str, Any],
        translator: Callable[[], EventTranslator],
        to_body: Callable[[Body], Body],
        asked: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The reply to a request in another protocol: its job, its events, or its whole answer. value: the body written
        as a chat completion's. translator, to_body: make that protocol's events and answer. asked: see JobOrigin."""
        chat = await self.translated(request, value)
        context = self.context_of(request)
        if self.submissions is not None and self.submissions.wants(request, wire):
            return await self.submissions.accept(request, chat, context, wire, asked)
        if chat.stream:
            return AnswerEvents(await self.stream(chat, context), translator())
        completion = await self.complete(chat, context)
        body = dumps(to_body(completion.to_openai()))
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=body)

    def context_of(self, request: ApiRequest) -> RequestContext:
        """The context of a request in another protocol: limited, routed and cached as one at the chat path."""
        context = context_of(request)
        if request.own_code:
            return context
        return replace(context, caller=replace(context.caller, endpoint=self._path))

    async def _prepared(self, request: ApiRequest, chat: ChatRequest) -> ChatRequest:
        if len(request.body) > LARGE_BODY_BYTES:
            # Others have their turn between this body's steps.
            await asyncio.sleep(0)
        return chat if request.rename_model is None else replace(chat, model=request.rename_model(chat.model))

    async def answer(self, request: ApiRequest) -> Reply:
        """Answers a chat completion: JSON, or events where the body asks for a stream."""
        context = context_of(request)
        chat = parse(request.body, max_params_bytes=self._max_params_bytes)
        chat = await self._prepared(request, chat)
        if self.submissions is not None and self.submissions.wants(request):
            return await self.submissions.accept(request, chat, context)
        if chat.stream:
            return AnswerEvents(await self.stream(chat, context))
        completion = await self.complete(chat, context)
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=completion.body_bytes)


def context_of(request: ApiRequest) -> RequestContext:
    """What the pipeline knows of a request beside its body."""
    return RequestContext(
        request_id=request.request_id,
        started=request.started,
        caller=request.caller,
        directives=parse_directives(request.header("cache-control"), request.header("x-turnout-deadline-ms")),
        waits=request.waits,
        session_id=request.header("x-session-id"),
        traceparent=request.header("traceparent"),
        may_choose=request.own_code,
    )


def note(outcome: Outcome) -> None:
    """Adds the outcome to those of the request that the app is handling, if any."""
    handled = current_request.get()
    if handled is not None:
        handled.note(outcome)
