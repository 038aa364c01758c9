"""Calls over litellm's provider classes and one warm session: what its wrapper costs is left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from turnout.attempt_errors import AttemptError, Misconfigured, NotSendable, OtherModelMayServe
from turnout.openai.answers import Body, chunks_of, dumps
from turnout.ports.runtime import ProviderCall
from turnout.upstream import translate
from turnout.upstream.direct.deployments import NotDirectError, check_request, deployment
from turnout.upstream.direct.dialects import PlainDialect, Prepared
from turnout.upstream.direct.http import HttpSessions, Request
from turnout.upstream.direct.own_wires import dialect_of
from turnout.upstream.direct.reading import checked, drain, events, parsed
from turnout.upstream.failures import hidden_failure
from turnout.upstream.litellm_words import taking_words
from turnout.upstream.stream_watch import is_framed

if TYPE_CHECKING:
    import aiohttp


class DirectCalls:
    """Calls the models that it knows. arguments: each model's own, as `acompletion` takes them. max_answer_bytes: of a
    whole answer, and of one event of a stream; more is a MalformedReply. deployments: what litellm calls each model,
    where that is not its name."""

    def __init__(
        self,
        litellm: Any,
        arguments: Mapping[str, Mapping[str, Any]],
        sessions: HttpSessions,
        *,
        max_answer_bytes: int,
        deployments: Mapping[str, str] | None = None,
    ) -> None:
        self._litellm = litellm
        self._most = max_answer_bytes
        self._sessions = sessions
        self._dialects: dict[str, PlainDialect] = {}
        # Why a model is not called directly, by its name.
        self.reasons: dict[str, str] = {}
        listed = deployments or {}
        for name, own in arguments.items():
            try:
                self._dialects[name] = dialect_of(litellm, deployment(litellm, listed.get(name, name), own))
            except NotDirectError as reason:
                self.reasons[name] = str(reason)
            except (AttributeError, ImportError, TypeError, ValueError) as error:
                # Another litellm than those that the equality tests run on.
                self.reasons[name] = f"the class of this litellm is another: {type(error).__name__}: {error}"

    def prepare(self, call: ProviderCall, *, stream: bool) -> Prepared:
        """The request that this call is. Raises NotDirectError where it is litellm's to make, and AttemptError."""
        dialect = self._dialects[call.model]
        params = {name: value for name, value in {**dialect.target.params, **call.params}.items() if value is not None}
        check_request(self._litellm, dialect.target, params)
        try:
            return dialect.prepare(call.messages, params, stream=stream)
        except (NotDirectError, AttemptError):
            raise
        except Exception as error:
            # Nothing was sent yet: the request, or the class, is to blame, never the provider.
            fault = translate.attempt_error(error)
            known = isinstance(fault, Misconfigured | OtherModelMayServe)
            raise (fault if known else NotSendable(translate.message(error))) from error

    async def complete(self, call: ProviderCall, prepared: Prepared) -> Body:
        """The provider's whole answer as a `chat.completion`. Raises AttemptError."""
        async with self._sessions.send(request_of(call, prepared, stream=False)) as response:
            raw = await checked(response, self._most)
            data = parsed(raw)
            if (hidden := hidden_failure(data)) is not None:
                raise hidden
            with taking_words():
                return self._dialects[call.model].completion(prepared, data, response.status, response.headers, raw)

    async def stream(self, call: ProviderCall, prepared: Prepared) -> AsyncGenerator[Body, None]:
        """The stream's `chat.completion.chunk` objects, the usage last. Raises AttemptError."""
        dialect = self._dialects[call.model]
        async with self._sessions.send(request_of(call, prepared, stream=True)) as response:
            if response.status >= 300 or response.content_type == "application/json":
                raw = await checked(response, self._most)
                for chunk in self._unstreamed(dialect, prepared, response, raw):
                    yield chunk
                return
            reader = dialect.reader(prepared, response.headers)
            pieces = response.content.iter_any()
            begun = False
            async for data in events(pieces, self._most, call.progress):
                begun = True
                with taking_words():
                    part = reader.read(data)
                if part is not None:
                    yield part
            await drain(pieces)
            # A cut would have raised: where HTTP tells the end, the stream ended where its server ended it, with a mark
            # or without. A proxy's page ends well too.
            call.progress.ended = call.progress.ended or (begun and is_framed(response.headers))
            if (usage := reader.last()) is not None:
                yield usage

    def _unstreamed(
        self, dialect: PlainDialect, prepared: Prepared, response: aiohttp.ClientResponse, raw: bytes
    ) -> list[Body]:
        """A whole answer where a stream was asked for: some servers stream nothing."""
        data = parsed(raw)
        if (hidden := hidden_failure(data)) is not None:
            raise hidden
        whole = dialect.completion(prepared, data, response.status, response.headers, raw)
        return list(chunks_of(whole, include_usage=bool(whole.get("usage"))))


def request_of(call: ProviderCall, prepared: Prepared, *, stream: bool) -> Request:
    connect = min(call.connect_timeout_s, call.timeout_s)
    return Request(
        url=prepared.url,
        headers=prepared.headers,
        body=dumps(prepared.body),
        connect_s=connect,
        whole_s=None if stream else call.timeout_s,
        read_s=call.timeout_s if stream else None,
        progress=call.progress,
    )
