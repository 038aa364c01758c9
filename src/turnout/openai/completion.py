"""The answers that a caller in Python gets: a Completion, or a stream of Chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from turnout.openai.answers import Body, as_sent, body_text, chunk_text, loads
from turnout.openai.response_items import EVENTS, ITEMS, chat_chunk
from turnout.records import Outcome, Usage


class Completion:
    """A complete answer. `text` is the first choice's; `outcome` says who answered, why and at what cost."""

    __slots__ = ("_body", "body_bytes", "outcome")

    def __init__(self, body_bytes: bytes, outcome: Outcome) -> None:
        self.body_bytes = body_bytes
        self.outcome = outcome
        self._body: Body | None = None

    def __repr__(self) -> str:
        return f"Completion(model={self.outcome.model!r}, tier={self.outcome.tier!r}, text={self.text[:60]!r})"

    def _parsed(self) -> Body:
        if self._body is None:
            self._body = loads(self.body_bytes)
        return self._body

    @property
    def text(self) -> str:
        return body_text(self._parsed())

    @property
    def usage(self) -> Usage:
        return self.outcome.usage

    def to_openai(self) -> dict[str, Any]:
        """The `chat.completion` object, a fresh copy."""
        copy: dict[str, Any] = loads(self.body_bytes)
        return copy


class Response:
    """A complete answer in the Responses protocol. `text` is that of all its messages; `id` continues it, by
    `previous_response_id`."""

    __slots__ = ("_body", "outcome")

    def __init__(self, body: Body, outcome: Outcome) -> None:
        self._body = body
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"Response(model={self.outcome.model!r}, tier={self.outcome.tier!r}, text={self.text[:60]!r})"

    @property
    def id(self) -> str:
        return str(self._body["id"])

    @property
    def text(self) -> str:
        parts = (part for item in self._body["output"] for part in item.get("content") or ())
        return "".join(part.get("text", "") for part in parts if part.get("type") == "output_text")

    @property
    def usage(self) -> Usage:
        return self.outcome.usage

    def to_openai(self) -> dict[str, Any]:
        """The `response` object."""
        return dict(self._body)


class Chunk:
    """One chunk of a stream. `text` is added to the first choice; "" for a finish or the usage."""

    __slots__ = ("_body",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def __repr__(self) -> str:
        return f"Chunk({self.text!r})"

    @property
    def text(self) -> str:
        return chunk_text(self._body)

    def to_openai(self) -> dict[str, Any]:
        """The `chat.completion.chunk` object."""
        return dict(self._body)


class AnswerStream:
    """The chunks of one answer, as OpenAI's objects, shaped as the caller asked (`include_usage`). with_items: with
    what only the Responses protocol has a place for.

    batches: chunks as they came, one or several at a time. cost: gives what the answer cost this
    caller, in USD, asked for when all else is sent: it stands in the usage chunk, as `usage.turnout.cost_usd`.
    head: the outcome as far as it is known at the first chunk.
    `outcome` is the same until the stream has ended, then the whole. A break raises ServedError. Leaving early:
    `await aclose()`.
    """

    def __init__(
        self,
        batches: AsyncGenerator[Sequence[Mapping[str, Any]], None],
        head: Outcome,
        ended: Callable[[], Outcome | None],
        *,
        include_usage: bool,
        cost: Callable[[], Decimal],
        with_items: bool = False,
    ) -> None:
        self._batches = batches
        self._ready: deque[Body] = deque()
        self._ended = ended
        self._include_usage = include_usage
        self._with_items = with_items
        self._cost = cost
        self._usage: Body | None = None
        self.head = head

    @property
    def outcome(self) -> Outcome:
        return self._ended() or self.head

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> Body:
        if not self._ready:
            self._ready.extend(await self.next_batch())
        return self._ready.popleft()

    async def next_batch(self) -> list[Body]:
        """The following chunks, as many as are here, waiting for the first. Raises StopAsyncIteration after the
        last."""
        while True:
            try:
                chunks = [self._sent(chunk) for chunk in await anext(self._batches)]
            except StopAsyncIteration:
                if self._usage is None:
                    raise
                usage, self._usage = self._usage, None
                return [_with_cost(usage, self._cost())]
            batch = [chunk for chunk in chunks if chunk is not None]
            if batch and batch[-1].get("usage"):
                # Held back until the call's cost is known.
                self._usage = batch.pop()
            if batch:
                return batch

    def _sent(self, chunk: Mapping[str, Any]) -> Body | None:
        if not self._with_items and (EVENTS in chunk or _carries_items(chunk)):
            bare = chat_chunk(chunk)
            if bare is None:
                return None
            chunk = bare
        return as_sent(chunk, include_usage=self._include_usage)

    async def aclose(self) -> None:
        """Ends the listening; where nobody else listens, the provider's call too."""
        await self._batches.aclose()


def _carries_items(chunk: Mapping[str, Any]) -> bool:
    return any(ITEMS in (choice.get("delta") or ()) for choice in chunk.get("choices") or ())


def _with_cost(chunk: Body, cost: Decimal) -> Body:
    return {**chunk, "usage": {**chunk["usage"], "turnout": {"cost_usd": float(cost)}}}


class TextStream:
    """A stream that begins when it is first read. `outcome` is known once it has begun."""

    def __init__(self, begin: Callable[[], Awaitable[AnswerStream]]) -> None:
        self._begin = begin
        self._answer: AnswerStream | None = None

    async def _opened(self) -> AnswerStream:
        if self._answer is None:
            self._answer = await self._begin()
        return self._answer

    async def begin(self) -> None:
        """Returns once the first content is here: until then a failure can still become an HTTP status. Raises
        ServedError."""
        await self._opened()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        answer = self._answer or await self._opened()
        return Chunk(await anext(answer))

    async def __aenter__(self) -> TextStream:
        await self._opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stops reading early; where nobody else reads the answer, the provider's call ends too."""
        if self._answer is not None:
            await self._answer.aclose()

    @property
    def outcome(self) -> Outcome | None:
        return self._answer.outcome if self._answer is not None else None
