"""Providers whose API is not OpenAI's, such as Anthropic and Gemini: what litellm does for them outside its classes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from turnout.openai.answers import Body, dumps
from turnout.upstream.cohere_events import as_the_class_knows_it
from turnout.upstream.direct.class_reader import PartReader
from turnout.upstream.direct.deployments import Deployment
from turnout.upstream.direct.dialects import ClassDialect, PlainDialect, Prepared, Reader, SilentLog
from turnout.upstream.gemini_answer import add_left_out, left_out, mend_gemini

# Their wire is OpenAI's, but not all that stands in it: Mistral's reasoning models tell lists of parts.
_READ_BY_CLASS = frozenset({"mistral"})


def dialect_of(litellm: Any, target: Deployment) -> PlainDialect:
    """How this deployment is spoken to."""
    own: Mapping[str, type[PlainDialect]] = {
        "anthropic": AnthropicDialect,
        "gemini": GeminiDialect,
        "cohere_chat": CohereDialect,
        **dict.fromkeys(_READ_BY_CLASS, ClassDialect),
    }
    return own.get(target.provider, PlainDialect)(litellm, target)


class AnthropicDialect(ClassDialect):
    """Anthropic's Messages API."""

    def __init__(self, litellm: Any, target: Deployment) -> None:
        super().__init__(litellm, target)
        from litellm.llms.anthropic.chat import handler

        base = (target.api_base or "").rstrip("/")
        self._url = base if base.endswith("/v1/messages") else f"{base.removesuffix('/v1')}/v1/messages"
        self._iterator: Any = handler.ModelResponseIterator
        self._iterator_takes = inspect.signature(handler.ModelResponseIterator.__init__).parameters.keys()
        self._filtered_beta = getattr(handler, "update_request_with_filtered_beta", None)
        self._strip_gated = getattr(handler, "strip_beta_gated_request_body", None)

    def check_media(self, url: str) -> None:
        # Anthropic fetches these itself; http is what litellm would fetch for it.
        if not url.startswith("https://"):
            super().check_media(url)

    def url(self, optional: Body, litellm_params: Body, *, stream: bool) -> str:
        return self._url

    def shaped(self, messages: list[Body], optional: Body, *, stream: bool) -> Prepared:
        optional.pop("stream", None)
        prepared = super().shaped(messages, {**optional, "is_vertex_request": False}, stream=stream)
        self._filter(prepared)
        return prepared

    def _filter(self, prepared: Prepared) -> None:
        """Without what the headers' beta flags do not cover, as litellm's own call does it."""
        if self._filtered_beta is not None:
            takes = inspect.signature(self._filtered_beta).parameters
            place = {"api_base": self._url} if "api_base" in takes else {}
            prepared.headers, prepared.body = self._filtered_beta(
                headers=prepared.headers, request_data=prepared.body, provider="anthropic", **place
            )
        if self._strip_gated is not None:
            prepared.body = dict(
                self._strip_gated(
                    prepared.body, prepared.headers, drop_params=None, model=self.target.model, provider="anthropic"
                )
            )

    def iterator(self, prepared: Prepared, headers: Mapping[str, str]) -> Any:
        known = {
            "json_mode": prepared.json_mode,
            "speed": prepared.optional.get("speed"),
            "tool_name_reverse_map": prepared.litellm_params.get("_anthropic_tool_name_reverse_map"),
        }
        arguments = {name: value for name, value in known.items() if name in self._iterator_takes}
        return self._iterator(streaming_response=None, sync_stream=False, **arguments)


class GeminiDialect(ClassDialect):
    """Gemini's generateContent (Google AI Studio)."""

    def __init__(self, litellm: Any, target: Deployment) -> None:
        super().__init__(litellm, target)
        from litellm.llms.vertex_ai.gemini import transformation, vertex_and_google_ai_studio_gemini

        self._iterator: Any = vertex_and_google_ai_studio_gemini.ModelResponseIterator
        self._transform: Any = transformation.sync_transform_request_body
        vertex: Any = vertex_and_google_ai_studio_gemini.VertexLLM()
        find = getattr(vertex, "get_token_and_url", None) or vertex._get_token_and_url
        takes = inspect.signature(find).parameters.keys()
        known = {
            "model": target.model, "auth_header": None, "gemini_api_key": target.api_key, "vertex_project": None,
            "vertex_location": None, "vertex_credentials": None, "custom_llm_provider": "gemini",
            "api_base": target.api_base, "should_use_v1beta1_features": False,
        }  # fmt: skip
        arguments = {name: value for name, value in known.items() if name in takes}
        self._places = {stream: find(stream=stream, **arguments) for stream in (False, True)}

    def shaped(self, messages: list[Body], optional: Body, *, stream: bool) -> Prepared:
        target = self.target
        optional.pop("stream", None)
        litellm_params = dict(self._litellm_params)
        key, url = self._places[stream]
        headers = target.config.validate_environment(
            api_key=key,
            headers=None,
            model=target.model,
            messages=messages,
            optional_params=optional,
            litellm_params=litellm_params,
        )
        body = self._transform(
            gemini_api_key=target.api_key,
            messages=messages,
            api_base=target.api_base,
            model=target.model,
            client=None,
            timeout=None,
            extra_headers=None,
            optional_params=optional,
            logging_obj=None,
            custom_llm_provider="gemini",
            litellm_params=litellm_params,
            vertex_project=None,
            vertex_location=None,
            vertex_auth_header=None,
        )
        return Prepared(url=url, headers=headers, body=dict(body), optional=optional, litellm_params=litellm_params)

    def completion(self, prepared: Prepared, data: Any, status: int, headers: Mapping[str, str], raw: bytes) -> Body:
        mended = mend_gemini(data)
        if isinstance(data, dict) and "candidates" in data and "usageMetadata" not in data:
            # The class reads no answer without it.
            data["usageMetadata"], mended = {}, True
        body = super().completion(prepared, data, status, headers, dumps(data) if mended else raw)
        add_left_out(body, data)
        return body

    def iterator(self, prepared: Prepared, headers: Mapping[str, str]) -> Any:
        return self._iterator(streaming_response=None, sync_stream=False, logging_obj=SilentLog(prepared))

    def reader(self, prepared: Prepared, headers: Mapping[str, str]) -> Reader:
        return _GeminiReader(self.iterator(prepared, headers), self.target.model)


class _GeminiReader(PartReader):
    """Reads what the class alone cannot, and keeps what it leaves out."""

    def read(self, data: Mapping[str, Any]) -> Body | None:
        mend_gemini(data)
        return super().read(data)

    def left_out(self, data: Mapping[str, Any]) -> dict[int, Body]:
        return left_out(data)


class CohereDialect(ClassDialect):
    """Cohere's v2 chat. litellm's class misses the end of its streams on the wire as it is today."""

    def reader(self, prepared: Prepared, headers: Mapping[str, str]) -> Reader:
        return _CohereReader(super().reader(prepared, headers))


class _CohereReader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.last = reader.last

    def read(self, data: Mapping[str, Any]) -> Body | None:
        return self._reader.read(as_the_class_knows_it(data))
