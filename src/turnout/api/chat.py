"""`POST /v1/chat/completions`, and the same two calls for Turnout's own verbs and for litellm's provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from turnout.api.exchange import ApiReply, ApiRequest, EventStream, Reply, Submissions
from turnout.api.response_headers import outcome_headers
from turnout.context import RequestContext, current_request, parse_directives
from turnout.errors import UnsupportedMediaType
from turnout.openai.completion import AnswerStream, Completion
from turnout.openai.requests import ChatRequest, parse
from turnout.pipeline.pipeline import Pipeline
from turnout.records import Outcome

# A larger body's steps (parsing, keying, sizing) take milliseconds each.
LARGE_BODY_BYTES = 65_536


class Chat:
    """Answers chat completions from the pipeline. Each verb raises ServedError."""

    def __init__(self, pipeline: Pipeline, *, max_params_bytes: int) -> None:
        self._pipeline = pipeline
        # Set by assembly where there is a queue: takes requests that become jobs.
        self.submissions: Submissions | None = None
        self._max_params_bytes = max_params_bytes

    async def complete(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The complete answer to a parsed request."""
        completion = await self._pipeline.complete(request, context)
        _note(completion.outcome)
        return completion

    async def stream(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The chunks of the answer to a parsed request that asks for a stream, once the first with content is here."""
        stream = await self._pipeline.stream(request, context)
        _note(stream.head)
        return stream

    async def answer(self, request: ApiRequest) -> Reply:
        """The reply to `POST /v1/chat/completions`: JSON, or events where the body asks for a stream."""
        _check_content_type(request)
        context = RequestContext(
            request_id=request.request_id,
            started=request.started,
            caller=request.caller,
            directives=parse_directives(request.header("cache-control"), request.header("x-turnout-deadline-ms")),
            waits=request.waits,
            session_id=request.header("x-session-id"),
            may_choose=request.own_code,
        )
        chat = parse(request.body, max_params_bytes=self._max_params_bytes)
        if len(request.body) > LARGE_BODY_BYTES:
            # Others have their turn between this body's steps.
            await asyncio.sleep(0)
        if request.rename_model is not None:
            chat = replace(chat, model=request.rename_model(chat.model))
        if self.submissions is not None and self.submissions.wants(request):
            return await self.submissions.accept(request, chat, context)
        if chat.stream:
            return EventStream(await self.stream(chat, context))
        completion = await self.complete(chat, context)
        return ApiReply(status=200, headers=outcome_headers(completion.outcome), body=completion.body_bytes)


def _note(outcome: Outcome) -> None:
    """Adds the outcome to those of the request that the app is handling, if any."""
    handled = current_request.get()
    if handled is not None:
        handled.note(outcome)


def _check_content_type(request: ApiRequest) -> None:
    content_type = request.header("content-type").partition(";")[0].strip().lower()
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        raise UnsupportedMediaType(f"content-type must be application/json, not {content_type}")
