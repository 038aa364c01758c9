"""Turnout for one request that the app is handling: `request.state.turnout` and `environ["turnout"]`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from turnout import portal
from turnout.context import Caller
from turnout.errors import ServedError
from turnout.openai.completion import Chunk, Completion, Response, TextStream
from turnout.openai.embeddings import Embeddings
from turnout.records import Decision, Outcome
from turnout.turnout import Turnout

if TYPE_CHECKING:
    from turnout.api.submission import Submitted

FindCaller = Callable[[], Caller]


class BoundTurnout:
    """The asynchronous verbs for one request's caller: `request.state.turnout`.

    `blocking` has the same verbs for a plain `def` handler, which runs in a thread. decision: at a path of
    `[endpoints]`, made before the handler runs; None where no text was found to score. loop: the server's, None
    under WSGI. Implements HandledRequest.
    """

    __slots__ = ("_caller", "_find", "_outcomes", "decision", "ended_by", "loop", "turnout", "unhandled")

    def __init__(self, turnout: Turnout, find: FindCaller, loop: asyncio.AbstractEventLoop | None) -> None:
        self.turnout = turnout
        self.loop = loop
        self._find = find
        self._caller: Caller | None = None
        self._outcomes: list[Outcome] | None = None
        self.decision: Decision | None = None
        # The exception that Flask or Django made a 500 of; and the error that the door answered with for the handler.
        self.ended_by: BaseException | None = None
        self.unhandled: ServedError | None = None

    def note(self, outcome: Outcome) -> None:
        """Adds the outcome of a call that was made while the app handles the request."""
        if self._outcomes is None:
            self._outcomes = []
        self._outcomes.append(outcome)

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of the calls made so far while the app handles the request."""
        return self._outcomes or []

    def find_caller(self) -> Caller:
        """Who asks and from which endpoint; found out when first needed."""
        if self._caller is None:
            self._caller = self._find()
        return self._caller

    async def complete(self, prompt: Any, **params: Any) -> Completion:
        """The answer to a text or to messages, for this request's caller. Raises ServedError."""
        return await self.turnout.complete(prompt, caller=self.find_caller(), **params)

    def stream(self, prompt: Any, **params: Any) -> TextStream:
        """The answer chunk by chunk, for this request's caller. Raises ServedError."""
        return self.turnout.stream(prompt, caller=self.find_caller(), **params)

    async def submit(self, prompt: Any, **params: Any) -> Submitted:
        """The accepted job, for this request's caller; its answer is asked for later. Raises ServedError."""
        return await self.turnout.submit(prompt, caller=self.find_caller(), **params)

    async def respond(self, prompt: Any, **params: Any) -> Response:
        """The answer in the Responses protocol, for this request's caller. Raises ServedError."""
        return await self.turnout.respond(prompt, caller=self.find_caller(), **params)

    async def embed(self, texts: Any, **params: Any) -> Embeddings:
        """The vectors of a text or of several, for this request's caller. Raises ServedError."""
        return await self.turnout.embed(texts, caller=self.find_caller(), **params)

    async def decide(self, prompt: Any, **params: Any) -> Decision:
        """Where the request would go, and why. Nothing is called, counted or stored."""
        return await self.turnout.decide(prompt, caller=self.find_caller(), **params)

    @property
    def blocking(self) -> BlockingTurnout:
        """The same verbs, blocking."""
        return BlockingTurnout(self)


class BlockingTurnout:
    """The blocking verbs for one request's caller: `environ["turnout"]`. They run on the server's loop where there is
    one, else on the portal's, and raise UsageError on that loop's own thread.
    """

    __slots__ = ("_bound",)

    def __init__(self, bound: BoundTurnout) -> None:
        self._bound = bound

    @property
    def decision(self) -> Decision | None:
        """At a path of `[endpoints]`: made before the handler ran; None where no text was found to score."""
        return self._bound.decision

    def complete(self, prompt: Any, **params: Any) -> Completion:
        """The answer to a text or to messages, for this request's caller. Raises ServedError."""
        # The caller is found here: the app's own callable may block, and belongs to this thread.
        self._bound.find_caller()
        return portal.run(self._bound.turnout.home.for_thread(), partial(self._bound.complete, prompt, **params))

    def stream(self, prompt: Any, **params: Any) -> BlockingStream:
        """The answer chunk by chunk, for this request's caller. Raises ServedError where it has no beginning."""
        self._bound.find_caller()
        return BlockingStream(self._bound.turnout.home.for_thread(), partial(self._bound.stream, prompt, **params))

    def submit(self, prompt: Any, **params: Any) -> Submitted:
        """The accepted job, for this request's caller; its answer is asked for later. Raises ServedError."""
        self._bound.find_caller()
        return portal.run(self._bound.turnout.home.for_thread(), partial(self._bound.submit, prompt, **params))

    def respond(self, prompt: Any, **params: Any) -> Response:
        """The answer in the Responses protocol, for this request's caller. Raises ServedError."""
        self._bound.find_caller()
        return portal.run(self._bound.turnout.home.for_thread(), partial(self._bound.respond, prompt, **params))

    def embed(self, texts: Any, **params: Any) -> Embeddings:
        """The vectors of a text or of several, for this request's caller. Raises ServedError."""
        self._bound.find_caller()
        return portal.run(self._bound.turnout.home.for_thread(), partial(self._bound.embed, texts, **params))

    def decide(self, prompt: Any, **params: Any) -> Decision:
        """Where the request would go, and why. Nothing is called, counted or stored."""
        self._bound.find_caller()
        return portal.run(self._bound.turnout.home.for_thread(), partial(self._bound.decide, prompt, **params))


class BlockingStream(portal.Pumped[TextStream, Chunk]):
    """The chunks of one answer, read by a thread. To be read to its end or closed; a `with` block closes it.

    `outcome`: as known at the first chunk while the stream runs, complete when it is over.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Callable[[], TextStream]) -> None:
        super().__init__(loop, partial(_open, begin))

    def __enter__(self) -> BlockingStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Dropped half-read: the provider's call ends all the same.
        if hasattr(self, "_task"):
            self.close()

    @property
    def outcome(self) -> Outcome | None:
        return self.head.outcome


async def _open(begin: Callable[[], TextStream]) -> tuple[TextStream, AsyncIterator[Chunk]]:
    stream = begin()
    await stream.__aenter__()
    return stream, stream
