"""Models that are asked over their provider's own Responses endpoint: litellm's class for it says where and how one is
let in; what is asked and answered goes as it is."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from turnout.attempt_errors import CallerFault, Misconfigured
from turnout.errors import SettingsError
from turnout.openai.answers import Body, chunks_of
from turnout.ports.runtime import ProviderCall
from turnout.upstream.direct.calls import request_of
from turnout.upstream.direct.deployments import PLACES, first_set
from turnout.upstream.direct.dialects import Prepared
from turnout.upstream.direct.http import HttpSessions
from turnout.upstream.direct.reading import checked, drain, events, parsed
from turnout.upstream.direct.responses_answer import ResponsesReader, completion_of_response
from turnout.upstream.direct.responses_body import responses_body
from turnout.upstream.failures import hidden_failure

# OpenAI's word for reasoning that another provider, or another organization, encrypted.
_UNREADABLE = "invalid_encrypted_content"
# Whose reasoning comes encrypted where that is asked for.
_ENCRYPTS = frozenset({"azure", "openai"})


class ResponsesDialect:
    """How one model is asked. arguments: its own, as litellm takes them. Raises SettingsError where litellm knows no
    such endpoint of its provider."""

    def __init__(self, litellm: Any, name: str, deployment: str, arguments: Mapping[str, Any]) -> None:
        from litellm.types.router import GenericLiteLLMParams

        base = arguments.get("api_base") or arguments.get("base_url")
        self.model, provider, key, base = litellm.get_llm_provider(
            deployment, api_base=base, api_key=arguments.get("api_key")
        )
        config = litellm.utils.ProviderConfigManager.get_provider_responses_api_config(
            provider=litellm.LlmProviders(provider), model=self.model
        )
        if config is None:
            raise SettingsError(f'models."{name}".responses = true: litellm knows no Responses endpoint of {provider}')
        place = PLACES.get(provider)
        self._key = key or (first_set(os.environ, place.keys) if place is not None else None)
        self._needs_key = provider == "openai"
        given = {"api_base": base, "api_key": self._key, "api_version": arguments.get("api_version")}
        self._params = GenericLiteLLMParams(**{name: value for name, value in given.items() if value})
        self._config = config
        self._url = config.get_complete_url(api_base=base, litellm_params=self._params.model_dump(exclude_none=True))
        self._headers = {str(name): str(value) for name, value in (arguments.get("extra_headers") or {}).items()}
        self._own = {name: value for name, value in arguments.items() if name not in _PLACE}
        row = (
            litellm.model_cost.get(deployment) or litellm.model_cost.get(self.model) if provider in _ENCRYPTS else None
        )
        self._reasons = None if row is None else bool(row.get("supports_reasoning"))

    def prepare(self, call: ProviderCall, *, stream: bool, with_reasoning: bool = True) -> Prepared:
        """The request. Raises AttemptError."""
        if self._needs_key and not self._key:
            raise Misconfigured("no key is configured for this model")
        headers = self._config.validate_environment(
            headers=dict(self._headers), model=self.model, litellm_params=self._params
        )
        body = responses_body(
            self.model,
            call.messages,
            {**self._own, **call.params},
            call.beside_chat or {},
            stream=stream,
            reasons=self._reasons,
            with_reasoning=with_reasoning,
        )
        return Prepared(url=self._url, headers={"Content-Type": "application/json", **headers}, body=body)


_PLACE = frozenset({"api_base", "base_url", "api_key", "api_version", "extra_headers"})


class ResponsesCalls:
    """Calls the models that it knows, by their configured names."""

    def __init__(
        self, dialects: Mapping[str, ResponsesDialect], sessions: HttpSessions, *, max_answer_bytes: int
    ) -> None:
        self._dialects = dialects
        self._sessions = sessions
        self._most = max_answer_bytes

    def __contains__(self, model: str) -> bool:
        return model in self._dialects

    async def complete(self, call: ProviderCall) -> Body:
        """The provider's whole answer as a `chat.completion`. Raises AttemptError."""
        dialect = self._dialects[call.model]
        try:
            return await self._complete(call, dialect.prepare(call, stream=False))
        except CallerFault as error:
            if error.code != _UNREADABLE:
                raise
        return await self._complete(call, dialect.prepare(call, stream=False, with_reasoning=False))

    async def _complete(self, call: ProviderCall, prepared: Prepared) -> Body:
        async with self._sessions.send(request_of(call, prepared, stream=False)) as response:
            return completion_of_response(parsed(await checked(response, self._most)))

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Body, None]:
        """The stream's `chat.completion.chunk` objects, the usage last. Raises AttemptError."""
        dialect = self._dialects[call.model]
        for with_reasoning in (True, False):
            prepared = dialect.prepare(call, stream=True, with_reasoning=with_reasoning)
            try:
                async with aclosing(self._stream(call, prepared)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except CallerFault as error:
                # It is refused before anything is answered.
                if error.code != _UNREADABLE or not with_reasoning:
                    raise

    async def _stream(self, call: ProviderCall, prepared: Prepared) -> AsyncGenerator[Body, None]:
        async with self._sessions.send(request_of(call, prepared, stream=True)) as response:
            if response.status >= 300 or response.content_type == "application/json":
                data = parsed(await checked(response, self._most))
                if (hidden := hidden_failure(data)) is not None and not data.get("output"):
                    raise hidden
                whole = completion_of_response(data)
                for chunk in chunks_of(whole, include_usage="usage" in whole):
                    yield chunk
                return
            reader = ResponsesReader()
            pieces = response.content.iter_any()
            async for data in events(pieces, self._most, call.progress):
                if (part := reader.read(data)) is not None:
                    yield part
                if reader.ended:
                    break
            await drain(pieces)
            if (last := reader.last()) is not None:
                yield last
