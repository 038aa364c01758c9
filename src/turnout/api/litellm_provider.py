"""`litellm.acompletion(model="turnout/auto", ...)`: code written on litellm is routed by changing one string.

Registered as soon as litellm is there, by whoever imported it; never imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any

from turnout import portal
from turnout.api.current import Running, current_turnout, loop_of, run_on_home_loop
from turnout.context import Caller, RequestContext, current_request, new_request_id
from turnout.errors import ServedError
from turnout.openai.answers import finish_reason
from turnout.openai.completion import AnswerStream
from turnout.openai.requests import ChatRequest, from_mapping
from turnout.upstream import litellm_import
from turnout.upstream.litellm_tuning import OWN_PROVIDER

# litellm's own, which stand among the parameters of a call.
_NOT_OURS = frozenset({"stream", "stream_options", "max_retries", "extra_headers", "extra_body"})


def register() -> None:
    """`turnout/...` is known to litellm, now or as soon as it is imported."""
    litellm_import.when_there(_register)


def _register(litellm: Any) -> None:
    if any(item["provider"] == OWN_PROVIDER for item in litellm.custom_provider_map):
        return
    litellm.custom_provider_map.append({"provider": OWN_PROVIDER, "custom_handler": _provider()})
    # What litellm does itself at a call that it sets up; ours are spared that.
    litellm.utils.custom_llm_setup()


def _provider() -> Any:
    """The provider, whose base class is litellm's."""
    from litellm.llms.custom_llm import CustomLLM, CustomLLMError
    from litellm.types.utils import ModelResponse, ModelResponseStream

    def failed(error: ServedError) -> Exception:
        return CustomLLMError(status_code=error.told_status, message=error.message)  # type: ignore[no-untyped-call]

    async def completed(call: _Call) -> Any:
        try:
            completion = await call.turnout.completed(call.request(stream=False), call.context)
        except ServedError as error:
            raise failed(error) from error
        return ModelResponse(**completion.to_openai())

    async def begun(call: _Call) -> AsyncIterator[Any]:
        try:
            return parts(await call.turnout.streamed(call.request(stream=True), call.context))
        except ServedError as error:
            raise failed(error) from error

    async def opened(call: _Call) -> tuple[None, AsyncIterator[Any]]:
        return None, await begun(call)

    async def parts(stream: AnswerStream) -> AsyncIterator[Any]:
        finish, usage = "stop", None
        try:
            async for chunk in stream:
                finish = finish_reason(chunk) or finish
                usage = chunk.get("usage") or usage
                if chunk["choices"]:
                    yield ModelResponseStream(**_unfinished(chunk))
            # litellm reads no further than the finish: it goes last, and takes the usage along.
            yield {"text": "", "is_finished": True, "finish_reason": finish, "usage": usage, "index": 0}
        except ServedError as error:
            raise failed(error) from error
        finally:
            await stream.aclose()

    class TurnoutProvider(CustomLLM):
        """Each verb with litellm's own arguments; what it asks for is in a few of them."""

        async def acompletion(self, *_: Any, **told: Any) -> Any:
            call = _Call(told)
            return await run_on_home_loop(call.turnout, partial(completed, call))

        async def astreaming(self, *_: Any, **told: Any) -> AsyncIterator[Any]:  # type: ignore[override]
            call = _Call(told)
            stream = await run_on_home_loop(call.turnout, partial(begun, call))
            end = object()

            async def following() -> Any:
                return await anext(stream, end)

            while (part := await run_on_home_loop(call.turnout, following)) is not end:
                yield part

        def completion(self, *_: Any, **told: Any) -> Any:
            call = _Call(told)
            return portal.run(loop_of(call.turnout), partial(completed, call))

        def streaming(self, *_: Any, **told: Any) -> Iterator[Any]:
            call = _Call(told)
            pumped: portal.Pumped[None, Any] = portal.Pumped(loop_of(call.turnout), partial(opened, call))
            try:
                yield from pumped
            finally:
                pumped.close()

    return TurnoutProvider()


def _unfinished(chunk: Mapping[str, Any]) -> dict[str, Any]:
    return {**chunk, "choices": [{**choice, "finish_reason": None} for choice in chunk["choices"]]}


class _Call:
    """One call as litellm tells it."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.turnout: Running = current_turnout()
        handled = current_request.get()
        self.context = RequestContext(
            request_id=new_request_id(),
            started=self.turnout.clock.monotonic(),
            caller=handled.find_caller() if handled is not None else Caller(),
        )
        self._told = told

    def request(self, *, stream: bool) -> ChatRequest:
        """The request. Raises InvalidRequest."""
        given: Mapping[str, Any] = self._told["optional_params"]
        params = {name: value for name, value in given.items() if name not in _NOT_OURS}
        return from_mapping(
            {
                **params,
                **(given.get("extra_body") or {}),
                "model": self._told["model"],
                "messages": self._told["messages"],
                "stream": stream,
                "stream_options": {"include_usage": True} if stream else None,
            }
        )
