"""What everything around a provider call is handed: time, the provider, and who observes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnout.openai.embeddings import Input
from turnout.openai.messages import Message, text_of
from turnout.records import Attempt, Operation, Outcome, ServedTier


class Clock(Protocol):
    """Time as an argument. Seconds everywhere."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        ...

    def time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after this many seconds."""
        ...

    def timeout_at(self, when: float | None) -> AbstractAsyncContextManager[Any]:
        """Cancels its block and raises TimeoutError once `monotonic()` reaches `when`; None: never."""
        ...


@dataclass(slots=True, kw_only=True)
class CallProgress:
    """What a provider says of a call while it makes it. sent: whether anything of it may have reached the model; a
    provider that can tell says False first. ended: whether a stream has ended in good order, with the provider's own
    mark (`[DONE]`) or where HTTP tells its end. dropped: parameters that were left out because they change no
    answer."""

    sent: bool = True
    ended: bool = False
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """One call of one model. params: the caller's, as OpenAI names them; the provider adds the model's own. inputs: of
    embeddings, in place of messages. progress: written by the provider. beside_chat: of a call that may be made over
    the provider's own Responses endpoint, what a chat has no place for (`ChatRequest.beside_chat`). optional:
    parameters that a model which does not take them is asked without."""

    model: str
    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 30.0
    connect_timeout_s: float = 5.0
    progress: CallProgress = field(default_factory=CallProgress, compare=False)
    inputs: tuple[Input, ...] = ()
    beside_chat: Mapping[str, Any] | None = None
    optional: frozenset[str] = frozenset()

    @property
    def operation(self) -> Operation:
        return "embeddings" if self.inputs else "chat"

    @property
    def texts(self) -> Iterator[str]:
        """What is said in it."""
        yield from map(text_of, self.messages)
        yield from (item for item in self.inputs if isinstance(item, str))


class Provider(Protocol):
    """Calls models. Raises AttemptError and nothing else (but cancellation)."""

    async def load(self) -> None:
        """Does what is slow and happens once, such as imports. Idempotent."""
        ...

    async def complete(self, call: ProviderCall) -> dict[str, Any]:
        """The provider's `chat.completion` object."""
        ...

    def stream(self, call: ProviderCall) -> AsyncGenerator[dict[str, Any], None]:
        """The provider's `chat.completion.chunk` objects, the last one with `usage` where the provider
        reports it. Closing the generator ends the provider's call."""
        ...

    async def embed(self, call: ProviderCall) -> dict[str, Any]:
        """OpenAI's list of embeddings: of each input one, in their order, as numbers."""
        ...

    async def close(self) -> None: ...


class Observer(Protocol):
    """Observes each request and attempt. Never raises, never blocks. A token is opaque to whoever passes it on."""

    def request_started(self, request_id: str) -> Any:
        """Returns a token for this request, to be passed to the other verbs."""
        ...

    def request_ended(self, token: Any, outcome: Outcome) -> None: ...

    def attempt_started(self, token: Any, call: ProviderCall, *, tier: ServedTier, stream: bool) -> Any:
        """Returns a token for this attempt. Called in the task that also calls `attempt_ended`."""
        ...

    def attempt_ended(self, token: Any, attempt: Attempt) -> None: ...

    def event(self, token: Any, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        """Records what happened during a request, or outside of any where `token` is None."""
        ...
