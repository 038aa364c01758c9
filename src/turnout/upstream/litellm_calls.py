"""The Provider port over litellm: its retries, fallbacks and cache off, its errors translated."""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import AttemptError, MalformedReply, Unreadable
from turnout.errors import SettingsError
from turnout.openai.answers import Body
from turnout.ports.runtime import ProviderCall
from turnout.settings import Settings
from turnout.settings.reader import SeveralWrong
from turnout.telemetry.trace_context import outgoing_headers
from turnout.upstream import litellm_import, translate
from turnout.upstream.direct.reading import plain_completion
from turnout.upstream.failures import hidden_failure, json_or_none
from turnout.upstream.finishes import hidden_finishes
from turnout.upstream.gemini_answer import add_left_out
from turnout.upstream.litellm_bounds import bounded
from turnout.upstream.litellm_tuning import keeping_raw, watching_http
from turnout.upstream.litellm_words import taking_words
from turnout.upstream.media import media_urls, refuse_media
from turnout.upstream.model_providers import resolved_provider
from turnout.upstream.parameters import ParameterBook
from turnout.upstream.responses_models import as_chat
from turnout.upstream.stream_watch import StreamWatch, mend_cohere


class LiteLLMProvider:
    """Calls models through `litellm.acompletion`. Raises SettingsError where a named key is not set."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._known = False
        self._most = settings.server.max_answer_bytes
        # The provider of each model, as litellm names it.
        self._providers: dict[str, str] = {}
        self.arguments = _every_arguments(settings, environ)
        # What litellm calls each model.
        self.deployments = {name: settings.deployment(name) for name in settings.every_model}
        self._parameters = ParameterBook(self.arguments, self.deployments)

    async def load(self) -> None:
        if not litellm_import.loaded():
            await asyncio.wrap_future(litellm_import.start())
        if not self._known:
            self._check(litellm_import.load_litellm())
            self._known = True

    def _check(self, litellm: Any) -> None:
        """Raises SettingsError for a model's name of which litellm knows no provider."""
        for name, arguments in self.arguments.items():
            try:
                self._providers[name] = resolved_provider(litellm, self.deployments[name], arguments)
            except litellm.BadRequestError as error:
                raise SettingsError(_unknown(self.deployments[name], litellm.provider_list)) from error

    def fitted(self, call: ProviderCall) -> ProviderCall:
        """The call with the parameters that its model takes. Only once loaded. Raises Unsupported."""
        return self._parameters.fitted(litellm_import.load_litellm(), call)

    async def complete(self, call: ProviderCall) -> Body:
        call.progress.sent = False
        raw: list[Any] = []
        try:
            answer = await self._ask(as_chat(call), stream=False, raw=raw)
        except AttemptError as error:
            return _read_without(_own_answer(raw), error)
        own = _own_answer(raw)
        # What holds nothing but an error, in any provider's form, litellm has found.
        if _holds_choices(own) and (hidden := hidden_failure(own)) is not None:
            raise hidden
        with taking_words():
            body = translate.completion(answer, hidden_finishes(own))
        add_left_out(body, own)
        if own.get("choices"):
            # litellm makes zeros and sums of it, which hide what it says.
            body.pop("usage", None)
            if isinstance(usage := own.get("usage"), Mapping):
                body["usage"] = {**usage}
        return body

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Body, None]:
        call.progress.sent = False
        parts = await self._ask(as_chat(call), stream=True)
        watched: StreamWatch | None = None
        if getattr(parts, "completion_stream", None) is not None:
            mend_cohere(parts.completion_stream)
            watched = parts.completion_stream = StreamWatch(parts.completion_stream)
        elif (opened := getattr(parts, "make_call", None)) is not None:
            # Gemini's is there from its first read on.
            async def watching(**arguments: Any) -> StreamWatch:
                nonlocal watched
                watched = StreamWatch(await opened(**arguments))
                return watched

            parts.make_call = watching
        try:
            async for part in _translated(parts, self._most):
                with taking_words():
                    chunk = translate.chunk(part)
                if watched is None:
                    yield chunk
                    continue
                if not watched.has_finish and getattr(parts, "received_finish_reason", "") is None:
                    _refuse_made_up_finish(chunk, watched)
                for each in watched.mended(chunk):
                    yield each
            if watched is not None and not watched.has_finish and not watched.ended:
                # litellm stops at the finish that it makes up: how the stream ends is behind it.
                async for _ in _translated(watched, self._most):
                    pass
        except AttemptError:
            # Of a stream that has ended in good order litellm alone finds that it lacks a finish.
            if watched is None or not watched.ended:
                raise
        finally:
            call.progress.ended = watched is not None and watched.ended
            await _close(parts)
        for each in watched.last() if watched is not None else ():
            yield each

    async def embed(self, call: ProviderCall) -> Body:
        await self.load()
        litellm = litellm_import.load_litellm()
        arguments: dict[str, Any] = {**self.arguments[call.model], **call.params}
        if "dimensions" in arguments:
            # litellm allows it by the model's name alone, which says nothing of servers of one's own.
            arguments["allowed_openai_params"] = ["dimensions"]
        try:
            with taking_words(), bounded(self._most, stream=False):
                answer = await litellm.aembedding(
                    model=self.deployments[call.model],
                    input=list(call.inputs),
                    timeout=call.timeout_s,
                    max_retries=0,
                    num_retries=0,
                    **arguments,
                )
        except Exception as error:
            raise translate.attempt_error(error) from error
        return translate.embeddings(answer, len(call.inputs))

    async def _ask(self, call: ProviderCall, *, stream: bool, raw: list[Any] | None = None) -> Any:
        """litellm's answer. raw: gets the provider's own, where litellm tells it."""
        await self.load()
        litellm = litellm_import.load_litellm()
        self._check_media(litellm, call)
        call = self.fitted(call)
        messages = [dict(message) for message in call.messages]
        # Whoever has left already, or has no time, leaves here.
        await asyncio.sleep(0)
        tuning = litellm_import.tuning(self.deployments[call.model], messages, stream, call.progress)
        if raw is not None:
            tuning = {**tuning, **keeping_raw(raw, tuning)}
        # litellm does not tell when it has a connection, only when it is about to send; and that neither to others'
        # listeners nor for every provider.
        call.progress.sent = not ("litellm_logging_obj" in tuning and self._tells_before_sending(litellm, call.model))
        own = self.arguments[call.model]
        arguments: dict[str, Any] = {**own, **call.params}
        if own.get("extra_body") and "extra_body" in call.params:
            arguments["extra_body"] = {**own["extra_body"], **call.params["extra_body"]}
        if stream:
            arguments["stream_options"] = {"include_usage": True}
        if traced := outgoing_headers():
            arguments["extra_headers"] = {**(arguments.get("extra_headers") or {}), **traced}
        if "tools" in arguments:
            # Without it a plain install looks for litellm's optional MCP client and fails.
            arguments["_skip_mcp_handler"] = True
        try:
            with (
                taking_words(),
                bounded(self._most, stream=stream),
                watching_http(litellm, self._providers.get(call.model, ""), raw),
            ):
                answer = await litellm.acompletion(
                    model=self.deployments[call.model],
                    messages=messages,
                    stream=stream,
                    timeout=_timeout(call),
                    max_retries=0,
                    num_retries=0,
                    **tuning,
                    **arguments,
                )
            call.progress.sent = True
            return answer
        except Exception as error:
            # What came of it may have been sent.
            call.progress.sent = True
            raise translate.attempt_error(error) from error

    def _tells_before_sending(self, litellm: Any, model: str) -> bool:
        provider = self._providers.get(model, "")
        return provider == "openai" or provider in litellm.openai_compatible_providers

    def _check_media(self, litellm: Any, call: ProviderCall) -> None:
        """Raises NotSendable for media that litellm would fetch by itself: those who speak OpenAI's wire are sent the
        address, and Anthropic fetches https itself."""
        provider = self._providers.get(call.model, "")
        if provider in ("openai", "azure") or provider in litellm.openai_compatible_providers:
            return
        for url in media_urls(call.messages):
            if provider != "anthropic" or not url.startswith("https://"):
                raise refuse_media()

    async def close(self) -> None:
        """Closes the HTTP clients that litellm keeps for this loop, and no other loop's: those are in use."""
        if not litellm_import.loaded():
            return
        cache = litellm_import.load_litellm().in_memory_llm_clients_cache
        kept = cache.cache_dict
        # litellm's own way of telling them apart, which is another in each of its versions.
        mine = cache.update_cache_key_with_event_loop("")
        for key in [key for key in list(kept) if key.endswith(mine)]:
            closing = kept.pop(key).close()
            if asyncio.iscoroutine(closing):
                await closing


def _own_answer(raw: Sequence[Any]) -> Mapping[str, Any]:
    """The provider's own answer, on whichever wire; empty where it is no object."""
    own = raw[-1] if raw else None
    own = own if isinstance(own, Mapping) else json_or_none(own)
    return own if isinstance(own, Mapping) else {}


def _holds_choices(own: Mapping[str, Any]) -> bool:
    """Whether it is an answer on OpenAI's wire or Gemini's."""
    return bool(own.get("choices") or own.get("candidates"))


def _read_without(own: Mapping[str, Any], error: AttemptError) -> Body:
    """The provider's own answer, with which litellm failed, as a `chat.completion`. Raises the error where there is
    none, and Unreadable for one on Gemini's wire: no caller is to blame for it."""
    if not _holds_choices(own):
        raise error
    if (hidden := hidden_failure(own)) is not None:
        raise hidden from error
    if not own.get("choices"):
        raise Unreadable(error.message) from error
    return plain_completion(own)


def _refuse_made_up_finish(chunk: Body, watched: StreamWatch) -> None:
    """Takes out the finish that litellm makes up for a stream that has ended without one. Raises MalformedReply for one
    that was cut short."""
    for choice in chunk["choices"]:
        if choice["finish_reason"] and not watched.ended:
            raise MalformedReply("the stream ended before its finish")
        choice["finish_reason"] = None


def _unknown(name: str, providers: Iterable[Any]) -> str:
    prefix, slash, rest = name.partition("/")
    if not slash:
        return f'the model "{name}" names no provider that litellm knows; write it as "openai/{name}"'
    known = [str(getattr(provider, "value", provider)) for provider in providers]
    near = difflib.get_close_matches(prefix, known, n=1)
    hint = f'did you mean "{near[0]}/{rest}"?' if near else "its documentation lists them"
    return f'the model "{name}" names the provider "{prefix}", which litellm does not know; {hint}'


def _every_arguments(settings: Settings, environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By model. Raises SettingsError for all keys that are not set."""
    arguments, problems = {}, []
    for name in settings.every_model:
        try:
            arguments[name] = _arguments(settings, name, environ)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SeveralWrong(problems)
    return arguments


def _arguments(settings: Settings, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    model = settings.model(name)
    arguments = dict(model.params)
    if model.api_key_env:
        key = environ.get(model.api_key_env)
        if not key:
            raise SettingsError(
                f'models."{name}".api_key_env = "{model.api_key_env}": this environment variable is not set; '
                "set it, or remove the setting where the model needs no key"
            )
        arguments["api_key"] = key
    elif "api_base" in arguments:
        # litellm refuses to call without any key, a server of one's own included.
        arguments["api_key"] = "-"
    return arguments


def _timeout(call: ProviderCall) -> Any:
    """Per phase where litellm can pass that on (OpenAI and its like, Azure, Bedrock); elsewhere it takes the one
    for reading, and a connection that hangs ends with the attempt."""
    import httpx

    return httpx.Timeout(call.timeout_s, connect=min(call.connect_timeout_s, call.timeout_s))


async def _translated(parts: Any, most: int) -> AsyncGenerator[Any, None]:
    coming = aiter(parts)
    try:
        while True:
            # Gemini's is asked for at its first read.
            with taking_words(), bounded(most, stream=True):
                part = await anext(coming)
            yield part
    except StopAsyncIteration:
        return
    except AttemptError:
        raise
    except Exception as error:
        raise translate.stream_error(error) from error


async def _close(parts: Any) -> None:
    """Ends the provider's call: litellm's wrapper first, then the response below it."""
    for stream in (parts, getattr(parts, "completion_stream", None)):
        close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
        if close is not None:
            closing = close()
            if asyncio.iscoroutine(closing):
                await closing
