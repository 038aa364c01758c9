"""`litellm.acompletion(model="turnout/auto", ...)`: code written on litellm is routed by changing one string.

Registered as soon as anybody has imported litellm; never imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Any

from turnout import portal
from turnout.api.routes import Api
from turnout.context import RequestContext, current_caller, new_request_id
from turnout.errors import ServedError
from turnout.openai.answers import finish_reason, without_finish
from turnout.openai.completion import AnswerStream
from turnout.openai.embeddings import EmbeddingRequest, embedding_from
from turnout.openai.requests import ChatRequest, from_mapping
from turnout.upstream import litellm_import
from turnout.upstream.litellm_tuning import OWN_PROVIDER

# litellm's own, which stand among the parameters of a call.
_LITELLM_OWN = frozenset({"stream", "stream_options", "max_retries", "extra_headers", "extra_body"})


def register(find: Callable[[], Api]) -> None:
    """Makes `turnout/...` known to litellm, now or as soon as it is imported. find: gives the API that a call is
    sent to; raises UsageError where there is none."""
    litellm_import.when_there(partial(_register, find))


def _register(find: Callable[[], Api], litellm: Any) -> None:
    if any(item["provider"] == OWN_PROVIDER for item in litellm.custom_provider_map):
        return
    litellm.custom_provider_map.append({"provider": OWN_PROVIDER, "custom_handler": _provider(find)})
    # What litellm does itself at a call that it sets up; ours are spared that.
    litellm.utils.custom_llm_setup()


def _provider(find: Callable[[], Api]) -> Any:
    """The provider object; its base class is litellm's, so that it can only be defined once litellm is imported."""
    from litellm.llms.custom_llm import CustomLLM

    answers = _Answers()

    class TurnoutProvider(CustomLLM):
        """litellm's verbs; of the arguments that litellm passes, `_Call` reads those that matter."""

        async def acompletion(self, *_: Any, **arguments: Any) -> Any:
            call = _Call(find(), arguments)
            return await call.api.home.run(partial(answers.complete, call))

        async def astreaming(self, *_: Any, **arguments: Any) -> AsyncIterator[Any]:  # type: ignore[override]
            call = _Call(find(), arguments)
            stream = await call.api.home.run(partial(answers.begin_stream, call))
            end = object()

            async def next_part() -> Any:
                return await anext(stream, end)

            while (part := await call.api.home.run(next_part)) is not end:
                yield part

        def completion(self, *_: Any, **arguments: Any) -> Any:
            call = _Call(find(), arguments)
            return portal.run(call.api.home.for_thread(), partial(answers.complete, call))

        def streaming(self, *_: Any, **arguments: Any) -> Iterator[Any]:
            call = _Call(find(), arguments)
            pumped = answers.pump_stream(call)
            try:
                yield from pumped
            finally:
                pumped.close()

        async def aembedding(self, *_: Any, **arguments: Any) -> Any:
            call = _Call(find(), arguments)
            return await call.api.home.run(partial(answers.embed, call))

        def embedding(self, *_: Any, **arguments: Any) -> Any:
            call = _Call(find(), arguments)
            return portal.run(call.api.home.for_thread(), partial(answers.embed, call))

    return TurnoutProvider()


class _Answers:
    """Answers in litellm's own types, which can only be imported once litellm is. Each verb raises litellm's error."""

    def __init__(self) -> None:
        from litellm.llms.custom_llm import CustomLLMError
        from litellm.types.utils import EmbeddingResponse, ModelResponse, ModelResponseStream

        self._error = CustomLLMError
        self._embeddings = EmbeddingResponse
        self._completion = ModelResponse
        self._chunk = ModelResponseStream

    async def complete(self, call: _Call) -> Any:
        """The whole answer."""
        try:
            completion = await call.api.chat.complete(call.request(stream=False), call.context)
        except ServedError as error:
            raise self._litellm_error(error) from error
        return self._completion(**completion.to_openai())

    async def embed(self, call: _Call) -> Any:
        """The vectors."""
        try:
            embeddings = await call.api.embeddings.embed(call.embedding(), call.context)
        except ServedError as error:
            raise self._litellm_error(error) from error
        return self._embeddings(**embeddings.to_openai())

    async def begin_stream(self, call: _Call) -> AsyncIterator[Any]:
        """The chunks, once the first is there."""
        try:
            return self._parts(await call.api.chat.stream(call.request(stream=True), call.context))
        except ServedError as error:
            raise self._litellm_error(error) from error

    def pump_stream(self, call: _Call) -> portal.Pumped[None, Any]:
        """The chunks for a thread."""

        async def open_stream() -> tuple[None, AsyncIterator[Any]]:
            return None, await self.begin_stream(call)

        return portal.Pumped(call.api.home.for_thread(), open_stream)

    async def _parts(self, stream: AnswerStream) -> AsyncIterator[Any]:
        finish, usage = "stop", None
        try:
            async for chunk in stream:
                finish = finish_reason(chunk) or finish
                usage = chunk.get("usage") or usage
                if chunk["choices"]:
                    yield self._chunk(**without_finish(chunk))
            # litellm reads no further than the finish: it goes last, and takes the usage along.
            yield {"text": "", "is_finished": True, "finish_reason": finish, "usage": usage, "index": 0}
        except ServedError as error:
            raise self._litellm_error(error) from error
        finally:
            await stream.aclose()

    def _litellm_error(self, error: ServedError) -> Exception:
        return self._error(status_code=error.told_status, message=error.message)  # type: ignore[no-untyped-call]


class _Call:
    """One call of litellm's. arguments: those that litellm passes to a provider's verb."""

    def __init__(self, api: Api, arguments: Mapping[str, Any]) -> None:
        self.api = api
        self.context = RequestContext(
            request_id=new_request_id(), started=api.clock.monotonic(), caller=current_caller()
        )
        self._arguments = arguments

    def embedding(self) -> EmbeddingRequest:
        """The request for vectors. Raises InvalidRequest."""
        # litellm decodes nothing: its callers take numbers.
        given = {name: value for name, value in self._params().items() if name != "encoding_format"}
        return embedding_from({**given, "model": self._arguments["model"], "input": self._arguments["input"]})

    def _params(self) -> dict[str, Any]:
        options: Mapping[str, Any] = self._arguments["optional_params"]
        params = {name: value for name, value in options.items() if name not in _LITELLM_OWN}
        return {**params, **(options.get("extra_body") or {})}

    def request(self, *, stream: bool) -> ChatRequest:
        """The request. Raises InvalidRequest."""
        return from_mapping(
            {
                **self._params(),
                "model": self._arguments["model"],
                "messages": self._arguments["messages"],
                "stream": stream,
                "stream_options": {"include_usage": True} if stream else None,
            }
        )
