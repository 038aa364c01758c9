"""The fakes that Turnout's own tests use, shipped so that yours can: a clock that you move, a provider
that follows a script and counts, a scorer that says what you tell it.

    clock = ManualClock()
    provider = ScriptedProvider({"openai/gpt-4o-mini": ["four"]}, clock=clock)
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from turnout.attempt_errors import AttemptError
from turnout.ports.runtime import Clock, ProviderCall
from turnout.ports.scoring import Query, Score

Body = dict[str, Any]


class ManualClock:
    """A Clock that stands still until `advance` moves it. Sleepers and timeouts wake in order of time."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        self._at(self._now + seconds, wake)
        await done

    @asynccontextmanager
    async def timeout_at(self, when: float | None) -> AsyncIterator[None]:
        """As asyncio.timeout_at, by this clock."""
        if when is None:
            yield
            return
        async with asyncio.timeout(None) as timeout:
            state = {"open": True}

            def expire() -> None:
                if state["open"]:
                    timeout.reschedule(0.0)

            if when <= self._now:
                expire()
            else:
                self._at(when, expire)
            try:
                yield
            finally:
                state["open"] = False

    def _at(self, when: float, wake: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (when, next(self._order), wake))

    @property
    def next_at(self) -> float | None:
        """When the next sleeper or timeout is due."""
        return self._waiting[0][0] if self._waiting else None

    async def advance(self, seconds: float) -> None:
        """Moves time on, waking whoever is due on the way, and lets each run before the next is woken."""
        end = self._now + seconds
        await settle()
        while self._waiting and self._waiting[0][0] <= end:
            when, _, wake = heapq.heappop(self._waiting)
            self._now = max(self._now, when)
            wake()
            await settle()
        self._now = end

    async def run(self, until: asyncio.Future[Any]) -> None:
        """Moves time on to whatever is due next until this future or task is done."""
        await settle()
        while not until.done():
            if self._waiting:
                await self.advance(max(0.0, self._waiting[0][0] - self._now))
            else:
                await asyncio.sleep(0)


async def settle(turns: int = 20) -> None:
    """Lets every task that can run do so, some turns of the loop long."""
    for _ in range(turns):
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Says:
    """A scripted answer. `after_s` before it begins; `chunks` when streamed (default: word by word), with
    `between_s` before each; `breaks` is raised in place of the end of a stream. `usage`: whether it tells one, or the
    `usage` object that it tells instead."""

    text: str = "ok"
    after_s: float = 0.0
    between_s: float = 0.0
    chunks: Sequence[str] | None = None
    breaks: AttemptError | None = None
    usage: bool | Mapping[str, Any] = True
    prompt_tokens: int = 10
    completion_tokens: int | None = None
    finish: str = "stop"


class Hangs:
    """A scripted answer that never comes."""


Step = str | Says | Hangs | AttemptError


class ScriptedProvider:
    """A Provider that plays a script a model, the last step repeated, and counts its calls.

    `calls` counts calls begun by model; `seen` holds them; `open` is how many are under way.
    """

    def __init__(self, script: Mapping[str, Sequence[Step]] | None = None, *, clock: Clock | None = None) -> None:
        self._script = {model: list(steps) for model, steps in (script or {}).items()}
        self._clock = clock or ManualClock()
        self.calls: Counter[str] = Counter()
        self.seen: list[ProviderCall] = []
        self.open = 0
        self.closed = False

    def say(self, model: str, *steps: Step) -> None:
        """What the model does from now on."""
        self._script[model] = list(steps)

    async def load(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True

    def _begin(self, call: ProviderCall) -> Step:
        self.calls[call.model] += 1
        self.seen.append(call)
        steps = self._script.get(call.model, ["ok"])
        return steps.pop(0) if len(steps) > 1 else steps[0]

    async def complete(self, call: ProviderCall) -> Body:
        step = self._begin(call)
        self.open += 1
        try:
            says = await self._arrive(step)
            if says.breaks is not None:
                raise says.breaks
            body = completion(says.text, model=call.model, finish_reason=says.finish, usage=False)
            return {**body, "usage": _usage(says)} if says.usage else body
        finally:
            self.open -= 1

    async def _arrive(self, step: Step) -> Says:
        if isinstance(step, Hangs):
            await asyncio.get_running_loop().create_future()
        if isinstance(step, AttemptError):
            raise step
        says = Says(step) if isinstance(step, str) else step
        assert isinstance(says, Says)
        if says.after_s:
            await self._clock.sleep(says.after_s)
        return says

    async def embed(self, call: ProviderCall) -> Body:
        step = self._begin(call)
        self.open += 1
        try:
            says = await self._arrive(step)
            data = [{"object": "embedding", "index": at, "embedding": vector_of(i)} for at, i in enumerate(call.inputs)]
            return {
                "object": "list",
                "data": data,
                "model": call.model.rsplit("/", 1)[-1],
                "usage": usage_body(says.prompt_tokens, 0),
            }
        finally:
            self.open -= 1

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Body, None]:
        step = self._begin(call)
        self.open += 1
        try:
            says = await self._arrive(step)
            yield chunk({"role": "assistant", "content": ""}, model=call.model)
            pieces = says.chunks if says.chunks is not None else _words(says.text)
            for piece in pieces:
                if says.between_s:
                    await self._clock.sleep(says.between_s)
                yield chunk({"content": piece}, model=call.model)
            if says.breaks is not None:
                raise says.breaks
            yield chunk({}, model=call.model, finish_reason=says.finish)
            if says.usage:
                yield {**chunk({}, model=call.model), "choices": [], "usage": _usage(says)}
        finally:
            self.open -= 1


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word if index == 0 else " " + word for index, word in enumerate(words)]


def _usage(says: Says) -> Body:
    if isinstance(says.usage, Mapping):
        return dict(says.usage)
    spoken = len(says.text.split()) if says.completion_tokens is None else says.completion_tokens
    return usage_body(says.prompt_tokens, spoken)


def vector_of(item: Any) -> list[float]:
    """Eight numbers that stand for a text, the same ones each time."""
    digest = hashlib.blake2b(repr(item).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return [byte / 256 for byte in digest]


def usage_body(prompt_tokens: int, completion_tokens: int) -> Body:
    """OpenAI's `usage` object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def completion(
    text: str,
    *,
    model: str,
    prompt_tokens: int = 10,
    completion_tokens: int = 2,
    finish_reason: str = "stop",
    usage: bool = True,
) -> Body:
    """A `chat.completion` object with one choice."""
    message = {"role": "assistant", "content": text}
    body: Body = {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model.rsplit("/", 1)[-1],
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    }
    return {**body, "usage": usage_body(prompt_tokens, completion_tokens)} if usage else body


def chunk(delta: Body, *, model: str, finish_reason: str | None = None) -> Body:
    """A `chat.completion.chunk` object with one choice."""
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model.rsplit("/", 1)[-1],
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


class FixedScorer:
    """A Scorer that gives the score of the first key found in the last message's text, else `default`."""

    def __init__(
        self,
        default: float = 0.0,
        *,
        scores: Mapping[str, float] | None = None,
        version: str = "fixed",
        is_default: bool = False,
        novel: bool = False,
        tag_scores: Mapping[str, float] | None = None,
    ) -> None:
        self._default = default
        self._scores = dict(scores or {})
        self._version = version
        self._is_default = is_default
        self._novel = novel
        self._tag_scores = dict(tag_scores or {})
        self.asked = 0

    @property
    def version(self) -> str:
        return self._version

    @property
    def is_default(self) -> bool:
        return self._is_default

    def score(self, query: Query) -> Score:
        self.asked += 1
        text = str(query.messages[-1].get("content", ""))
        value = next((score for key, score in self._scores.items() if key in text), self._default)
        by_tag = self._tag_scores.get(query.tag, self._tag_scores.get(query.endpoint, 0.5))
        return Score(
            score=value, expected_gain=value - 0.5,
            novelty=float(self._novel), novel=self._novel,
            tag_score=by_tag, tag_gain=by_tag - 0.5,
        )  # fmt: skip
