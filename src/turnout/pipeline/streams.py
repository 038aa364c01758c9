"""One caller's stream: a flight's chunks as they come, or a whole answer as chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from turnout.errors import ServedError
from turnout.openai.answers import chunks_of
from turnout.openai.completion import AnswerStream
from turnout.pipeline.call import AnswerListener, Call
from turnout.pipeline.ending import Ending
from turnout.pipeline.fallbacks import OUTAGES, Fallbacks
from turnout.pipeline.listening import Listening
from turnout.pipeline.outcomes import received, stream_outcome, times
from turnout.pipeline.whole import ReadyAnswer
from turnout.ports.runtime import Clock
from turnout.records import Outcome, Usage


class Streams:
    """Opens streams, and ends their requests when they are over."""

    def __init__(self, *, clock: Clock, listening: Listening, fallbacks: Fallbacks, ending: Ending) -> None:
        self._clock = clock
        self._listening = listening
        self._fallbacks = fallbacks
        self._ending = ending

    async def listened(self, call: Call, listener: AnswerListener) -> AnswerStream:
        """The stream of a flight, its first chunk at hand; where it failed before that, a whole answer's."""
        since = self._clock.monotonic()
        if not listener.flight.streamed:
            return self.replayed(call, *await self._listening.landed(call, listener))
        try:
            async with self._listening.deadline(call):
                first = await listener.next()
        except OUTAGES as error:
            listener.leave()
            whole = await self._fallbacks.instead_of(call, error)
            return self.replayed(call, whole, self._clock.monotonic() - since)
        head = self._head(call, since)
        chunks = self._chunks(call, listener, first, head)
        # Begun at once: a generator that was never begun runs none of its own clean-up.
        await anext(chunks)
        return AnswerStream(chunks, head, lambda: call.outcome, include_usage=call.request.include_usage)

    def _head(self, call: Call, since: float) -> Outcome:
        now = self._clock.monotonic()
        return stream_outcome(call, times(call, now, now - since), usage=Usage(), error=None)

    async def _chunks(
        self, call: Call, listener: AnswerListener, chunk: Mapping[str, Any] | None, head: Outcome
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        error: str | None = "cancelled"
        try:
            yield {}
            while chunk is not None:
                yield chunk
                chunk = await listener.next()
            error = None
        except ServedError as broken:
            error = broken.told_code
            raise
        finally:
            listener.leave()
            self._streamed(call, listener, head, error)

    def _streamed(self, call: Call, listener: AnswerListener, head: Outcome, error: str | None) -> None:
        landed = listener.flight.landed
        spent = times(call, self._clock.monotonic(), head.inference_s)
        # The head's times are what the caller waited for; the rest of a stream is the reader's own pace.
        spent = spent.up_to(head)

        def outcome() -> Outcome:
            usage = landed.usage if landed is not None else received(call)
            return stream_outcome(call, spent, usage=usage, error=error)

        self._ending.with_flight(call, outcome)

    def replayed(self, call: Call, whole: ReadyAnswer, listened_s: float) -> AnswerStream:
        """A whole answer as a stream."""
        outcome = self._ending.given(call, whole, listened_s, streamed=True)

        async def chunks() -> AsyncGenerator[Mapping[str, Any], None]:
            for chunk in chunks_of(json.loads(whole.answer.body), include_usage=True):
                yield chunk

        return AnswerStream(chunks(), outcome, lambda: outcome, include_usage=call.request.include_usage)
