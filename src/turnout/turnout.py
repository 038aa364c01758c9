"""The running Turnout: its verbs, its start and its end; and which one a call that names none belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack
from weakref import WeakSet

from turnout import portal
from turnout.api import litellm_provider
from turnout.assembly.build import build
from turnout.assembly.common_parts import Plugs
from turnout.caching.entries import forget_unpacked
from turnout.context import (
    DEFAULT_DIRECTIVES,
    Caller,
    Directives,
    RequestContext,
    current_caller,
    current_request,
    new_request_id,
    user_key,
)
from turnout.errors import InvalidRequest, UsageError
from turnout.openai.completion import AnswerStream, Completion, Response, TextStream
from turnout.openai.embeddings import EmbeddingRequest, Embeddings, embedding_from
from turnout.openai.messages import Message
from turnout.openai.requests import ChatRequest, from_call
from turnout.pipeline.call import EndpointAdmission
from turnout.records import Decision
from turnout.settings import Settings
from turnout.upstream import litellm_import

if TYPE_CHECKING:
    from turnout.api.jobs import JobSubmissions
    from turnout.api.submission import Submitted
    from turnout.api.transport import Transport
    from turnout.ports.jobs import Job, JobEnd

# How long an app that stops waits for the jobs that run in it; the rest is put back for others.
APP_DRAIN_S = 5.0
# What a Turnout is made from: the path of a TOML file, a mapping of the same shape, or Settings.
Config = str | os.PathLike[str] | Mapping[str, Any] | Settings


class Turnout:
    """A running Turnout. `async with Turnout.from_toml("turnout.toml") as t: await t.complete("...")`.

    plugs: the keyword arguments `clock`, `provider`, `scorer`, `gate`, `circuit_store`, `share_store` and `observer`
    replace a part, as tests do; none is needed to run. works: whether it works on jobs. Raises SettingsError.
    """

    def __init__(self, config: Config, **plugs: Unpack[Plugs]) -> None:
        self.settings = Settings.of(config)
        litellm_provider.register(lambda: current_turnout().api)
        self._parts = parts = build(self.settings, **plugs)
        self._pipeline, self._stores, self._share_sync = parts.pipeline, parts.stores, parts.share_sync
        self._needs_litellm = plugs.get("provider") is None
        self.api = parts.api
        self.clock = parts.api.clock
        self.home = parts.api.home
        self.bulkhead = parts.bulkhead
        self.drift = parts.drift

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Turnout:
        """The Turnout of a settings file. Raises SettingsError."""
        return cls(Settings.from_toml(path))

    def mount(self) -> None:
        """Counts it among those that a call outside of any request may belong to. Starts importing litellm in the
        background, where it is needed."""
        _running.add(self)
        if self._needs_litellm:
            litellm_import.start()

    async def start(self) -> None:
        """Returns when nothing slow is left for the first request. The running loop becomes its home: threads' calls
        are sent there."""
        self.home.loop = asyncio.get_running_loop()
        _running.add(self)
        await self._parts.provider.load()
        await self._stores.open()
        if self._share_sync is not None:
            await self._share_sync.meet()
        if self._parts.budgeted:
            self._parts.prices.require_all()
        self.start_worker()

    @property
    def lacks_worker(self) -> bool:
        """Whether this process is to work on jobs and has not begun. For any thread."""
        queue = self._parts.queue
        return queue is not None and queue.worker is not None and not queue.worker.works

    def start_worker(self) -> None:
        """Begins to work on jobs on the running loop, where this process does and has not begun."""
        queue = self._parts.queue
        if queue is not None and queue.worker is not None:
            queue.worker.start()

    @property
    def submissions(self) -> JobSubmissions:
        """Where jobs are submitted. Raises UsageError without a [queue]."""
        if self._parts.queue is None:
            raise UsageError("jobs need a queue: add the line [queue] to the settings")
        return self._parts.queue.submissions

    def replay_with(self, replay: Callable[[Job], Awaitable[JobEnd]]) -> None:
        """Lets this process do jobs that are requests of the app's own paths."""
        if self._parts.queue is not None:
            self._parts.queue.runs.replay = replay

    def limit_worker(self, at_once: int) -> None:
        """Lets so many jobs run at once in this process; 0: as many as the queue allows in all."""
        queue = self._parts.queue
        if queue is not None and queue.worker is not None:
            queue.worker.at_once = at_once or queue.worker.at_once

    async def stop_worker(self, drain_s: float) -> None:
        """Claims no more jobs, waits so long for those that run here, and puts the rest back for others."""
        queue = self._parts.queue
        if queue is not None and queue.worker is not None:
            await queue.worker.stop(drain_s)

    async def aclose(self) -> None:
        """Waits for the calls in progress, then closes what is open."""
        _running.discard(self)
        # At the interpreter's exit, which the portal's loop closes at, nobody waits.
        await self.stop_worker(APP_DRAIN_S if self.home.loop is not None else 0.0)
        await self._pipeline.drain()
        if self._pipeline.semantic is not None:
            await self._pipeline.semantic.close()
        if self._parts.sender is not None:
            await self._parts.sender.close()
        await self._parts.provider.close()
        if self._share_sync is not None:
            await self._share_sync.close()
        if self._parts.ticker is not None:
            await self._parts.ticker.close()
        if self._parts.queue is not None:
            await self._parts.queue.store.close()
        if self._parts.kept_entries is not None:
            await self._parts.kept_entries.close()
        await self._stores.gate.close()
        if self._parts.request_log is not None:
            await asyncio.to_thread(self._parts.request_log.close)

    async def __aenter__(self) -> Turnout:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def complete(
        self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any
    ) -> Completion:
        """The answer to a text or to messages. `params`: OpenAI's, `model` ("auto") and `tag` included.
        caller: by default that of the request that the app is handling.

        Raises ServedError: the error that HTTP would have answered with.
        """
        return await self.completed(from_call(prompt, stream=False, params=params), self.context(caller))

    def stream(self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any) -> TextStream:
        """The answer chunk by chunk: `async for chunk in t.stream("..."): chunk.text`. Raises ServedError."""
        request = from_call(prompt, stream=True, params=params)
        return TextStream(partial(self.streamed, request, self.context(caller)))

    async def submit(
        self,
        prompt: str | Sequence[Message],
        *,
        caller: Caller | None = None,
        priority: int | None = None,
        webhook_url: str = "",
        idempotency_key: str = "",
        **params: Any,
    ) -> Submitted:
        """Accepts the request as a job, and returns at once: `.id`, `.status`, `.location`, `.secret`. params: as of
        `complete`, and `stream`. Raises ServedError where it is refused, UsageError without a [queue]."""
        submissions = self.submissions
        extension = dict(params.pop("turnout", None) or {})
        if priority is not None:
            extension["priority"] = priority
        if webhook_url:
            extension["webhook_url"] = webhook_url
        stream = bool(params.pop("stream", False))
        request = from_call(prompt, stream=stream, params={**params, "turnout": extension})
        return await submissions.submit_verb(request, self.context(caller), idempotency_key)

    async def embed(
        self, texts: str | Sequence[Any], *, caller: Caller | None = None, model: str = "auto", **params: Any
    ) -> Embeddings:
        """The vectors of a text or of several: `.vectors`, `.vector`, `.usage`, `.outcome`. model: a configured name;
        "auto": the only one with a section and no tier. params: OpenAI's. Raises ServedError."""
        return await self.embedded(embedding_from({**params, "input": texts, "model": model}), self.context(caller))

    async def respond(
        self, prompt: str | Sequence[Mapping[str, Any]], *, caller: Caller | None = None, **params: Any
    ) -> Response:
        """The answer to a text or to items, in the Responses protocol: `.text`, `.id`, `.outcome`, `.to_openai()`.
        params: those of `POST /v1/responses` but `stream`. Raises ServedError."""
        if params.get("stream"):
            raise UsageError("respond() answers whole: for a stream use the openai SDK over transport(), or stream()")
        items = prompt if isinstance(prompt, str) else list(prompt)
        return await self.api.responses.respond({**params, "input": items}, self.context(caller))

    async def decide(self, prompt: str | Sequence[Message], *, caller: Caller | None = None, **params: Any) -> Decision:
        """Where the request would go, and why. Nothing is called, counted or stored."""
        return await self._pipeline.decide(from_call(prompt, stream=False, params=params), self.context(caller))

    async def purge(self, *, user: str | None = None, endpoint: str | None = None) -> int:
        """Drops the stored answers, vectors and kept responses of this user, of this endpoint, or of both at once; with
        neither, all. A user is forgotten among the top spenders, the last decisions and what ratings may come for,
        and of a user alone the jobs go with their results. Returns how many answers. Raises StoreUnavailable where a
        configured Redis cannot be reached."""
        key = None if user is None else user_key(user)
        if user is not None and key is not None:
            await self.api.forget(key, user if self.settings.status.user_ids else key)
        if self._parts.queue is not None and key is not None and endpoint is None:
            await self._parts.queue.purge(key)
        if self._pipeline.semantic is not None:
            await self._pipeline.semantic.purge(user=key, endpoint=endpoint)
        purged = await self._stores.cache_admin.purge(user=key, endpoint=endpoint)
        if self._parts.kept_entries is not None:
            purged += await self._parts.kept_entries.purge(user=key, endpoint=endpoint)
        forget_unpacked()
        return purged

    def transport(self, *, model: str | None = "auto") -> Transport:
        """A transport for `httpx.Client` and `httpx.AsyncClient` that leads here, from code on any LLM SDK.

        model: replaces the model's name that the code asks for, unless it is auto, cheap, expensive, a configured
        full name or an alias; None keeps every name.
        """
        # Imported here: httpx takes a while, and importing turnout is light.
        from turnout.api.transport import Transport

        return Transport(lambda: self.api, model)

    async def completed(self, request: ChatRequest, context: RequestContext) -> Completion:
        """The complete answer to a parsed request. Raises ServedError."""
        return await self.api.chat.complete(request, context)

    def cache_key(self, request: ChatRequest, context: RequestContext) -> bytes | None:
        """What the answer to a parsed request is stored by; None where it is not. Raises ServedError."""
        return self._pipeline.cache_key(request, context)

    async def streamed(self, request: ChatRequest, context: RequestContext) -> AnswerStream:
        """The chunks of the answer to a parsed request that asks for a stream, once the first content-bearing one is
        here. Raises ServedError."""
        return await self.api.chat.stream(request, context)

    async def embedded(self, request: EmbeddingRequest, context: RequestContext) -> Embeddings:
        """The vectors that a parsed request asks for. Raises ServedError."""
        return await self.api.embeddings.embed(request, context)

    async def admit(self, prompt: str | Sequence[Message] | None, caller: Caller) -> EndpointAdmission:
        """Counts a request of one of the app's own endpoints, and decides where there is a text to score. Raises
        ServedError where a limit or a budget refuses it."""
        request: ChatRequest | None = None
        if prompt:
            # What cannot be scored is the app's own to refuse.
            with contextlib.suppress(InvalidRequest):
                request = from_call(prompt, stream=False, params={})
        return await self._pipeline.admit(request, self.context(caller))

    def observe_app(self, endpoint: str, seconds: float) -> None:
        """Counts the app's own time at one of its endpoints, from whatever thread."""
        counters = self.api.counters
        if not counters.counting:
            return
        if portal.running_loop() is not None:
            counters.observe_app(endpoint, seconds)
        else:
            self.home.for_thread().call_soon_threadsafe(counters.observe_app, endpoint, seconds)

    def context(self, caller: Caller | None = None, directives: Directives = DEFAULT_DIRECTIVES) -> RequestContext:
        """A new request's context; its caller is by default that of the request that the app is handling."""
        return RequestContext(
            request_id=new_request_id(),
            started=self.clock.monotonic(),
            caller=caller or current_caller(),
            directives=directives,
        )


# Those that are mounted, or entered by `async with`. Weak: an app that is gone takes its Turnout along.
_running: WeakSet[Turnout] = WeakSet()


def running_turnouts() -> list[Turnout]:
    """Those that are mounted, or entered."""
    return list(_running)


def current_turnout(default: Callable[[], Turnout] | None = None) -> Turnout:
    """The Turnout around the request that the app is handling, else the default, else the only one that runs.

    Raises UsageError, which says what to do.
    """
    handled = current_request.get()
    if handled is not None:
        turnout: Turnout = handled.turnout
        return turnout
    if default is not None:
        return default()
    running = list(_running)
    if len(running) == 1:
        return running[0]
    mounted = f"{len(running)} Turnouts are mounted" if running else "no Turnout is mounted"
    raise UsageError(
        f"{mounted}, and this call is made outside of any request: say which is meant, "
        'as in turnout.transport("turnout.toml"), or mount one'
    )


async def _close_all() -> None:
    """Settles what runs on the portal."""
    async with asyncio.TaskGroup() as group:
        for turnout in list(_running):
            if turnout.home.loop is None:
                group.create_task(turnout.aclose())


portal.at_exit(_close_all)
