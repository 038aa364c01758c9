"""Which way each model is called: by litellm's provider classes directly, or through `litellm.acompletion`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from turnout.errors import SettingsError
from turnout.openai.answers import Body
from turnout.ports.runtime import Provider, ProviderCall
from turnout.settings import Settings
from turnout.upstream import litellm_import, litellm_tuning
from turnout.upstream.direct.calls import DirectCalls
from turnout.upstream.direct.deployments import NotDirectError, check_globals
from turnout.upstream.direct.dialects import Prepared
from turnout.upstream.direct.http import HttpSessions
from turnout.upstream.direct.responses import ResponsesCalls, ResponsesDialect
from turnout.upstream.litellm_calls import LiteLLMProvider
from turnout.upstream.responses_models import ResponsesModels, as_chat

log = logging.getLogger("turnout.upstream")


class DirectFirstProvider:
    """The Provider port: directly where that is proved equal, else through litellm; the reason is logged once."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._wrapped = LiteLLMProvider(settings, environ)
        self._max_answer_bytes = settings.server.max_answer_bytes
        # As many as the models' own slots let through: the pool itself makes no call wait.
        limit = sum(settings.model(name).max_concurrency for name in settings.every_model)
        self._sessions = HttpSessions(limit=limit, tls=_tls, environ=self._environ)
        self._direct: DirectCalls | None = None
        self._responses: ResponsesCalls | None = None
        self._settings = settings
        self._over_responses = ResponsesModels(settings, self._environ)
        self._noted: set[tuple[str, str]] = set()

    async def load(self) -> None:
        await self._wrapped.load()
        if self._direct is None:
            # Classes are imported here, which may take a while.
            self._responses = await asyncio.to_thread(self._open_responses)
            self._direct = await asyncio.to_thread(self._open)

    def _open(self) -> DirectCalls:
        return DirectCalls(
            litellm_import.load_litellm(),
            self._wrapped.arguments,
            self._sessions,
            max_answer_bytes=self._max_answer_bytes,
            deployments=self._wrapped.deployments,
        )

    def _open_responses(self) -> ResponsesCalls:
        litellm = litellm_import.load_litellm()
        dialects = {}
        for name in self._settings.model_names:
            if name not in self._over_responses:
                continue
            deployment, arguments = self._wrapped.deployments[name], self._wrapped.arguments[name]
            try:
                dialects[name] = ResponsesDialect(litellm, name, deployment, arguments)
            except Exception as error:
                # Whatever litellm's class raises at a model that it cannot place: an Azure one without an address.
                if self._settings.model(name).responses:
                    raise SettingsError(f'models."{name}".responses = true: {error}') from error
                log.info("%s is asked over chat completions, not over a Responses endpoint: %s", name, error)
        return ResponsesCalls(dialects, self._sessions, max_answer_bytes=self._max_answer_bytes)

    async def _own_endpoint(self, call: ProviderCall) -> tuple[ResponsesCalls | None, ProviderCall]:
        """Where the call is made over its provider's Responses endpoint, and the call as its model takes it."""
        if call.beside_chat is None:
            return None, call
        call.progress.sent = False
        await self.load()
        assert self._responses is not None
        if call.model in self._responses:
            return self._responses, self._wrapped.fitted(call)
        return None, as_chat(call)

    def reason(self, model: str) -> str | None:
        """Why this model goes through litellm; None where it is called directly. Only once loaded."""
        assert self._direct is not None
        return self._direct.reasons.get(model)

    async def complete(self, call: ProviderCall) -> Body:
        responses, call = await self._own_endpoint(call)
        if responses is not None:
            return await responses.complete(call)
        direct, prepared = await self._prepared(call, stream=False)
        return await (self._wrapped.complete(call) if prepared is None else direct.complete(call, prepared))

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Body, None]:
        responses, call = await self._own_endpoint(call)
        if responses is not None:
            async with aclosing(responses.stream(call)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        direct, prepared = await self._prepared(call, stream=True)
        chunks = self._wrapped.stream(call) if prepared is None else direct.stream(call, prepared)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def embed(self, call: ProviderCall) -> Body:
        return await self._wrapped.embed(call)

    async def _prepared(self, call: ProviderCall, *, stream: bool) -> tuple[DirectCalls, Prepared | None]:
        """The request of a direct call, or None for one that is litellm's to make."""
        call.progress.sent = False
        if self._direct is None:
            await self.load()
        direct = self._direct
        assert direct is not None
        litellm = litellm_import.load_litellm()
        try:
            if (reason := direct.reasons.get(call.model)) is not None:
                raise NotDirectError(reason)
            if litellm_tuning.listened(litellm):
                raise NotDirectError("somebody listens to litellm's own calls")
            check_globals(litellm)
            return direct, direct.prepare(self._wrapped.fitted(call), stream=stream)
        except NotDirectError as why:
            self._note(call.model, str(why))
            return direct, None

    def _note(self, model: str, reason: str) -> None:
        if (model, reason) not in self._noted:
            self._noted.add((model, reason))
            log.info("%s goes through litellm.acompletion: %s", model, reason)

    async def close(self) -> None:
        await self._sessions.close()
        await self._wrapped.close()


def provider_from(settings: Settings, environ: Mapping[str, str] | None = None) -> Provider:
    """The Provider that the settings name. Raises SettingsError where a named key is not set."""
    chosen = DirectFirstProvider if settings.upstream.transport == "direct" else LiteLLMProvider
    return chosen(settings, environ)


def _tls() -> Any:
    """litellm's own idea of the CA bundle: ssl_verify, SSL_CERT_FILE, else certifi's."""
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    return get_ssl_configuration()
