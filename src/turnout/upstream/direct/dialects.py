"""How each kind of provider is asked and read, by litellm's own class for it."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import SimpleNamespace
from typing import Any, Protocol

from turnout.attempt_errors import AttemptError, MalformedReply
from turnout.openai.answers import Body
from turnout.upstream import translate
from turnout.upstream.direct import reading
from turnout.upstream.direct.class_reader import PartReader, error_line
from turnout.upstream.direct.deployments import Deployment, NotDirectError
from turnout.upstream.finishes import hidden_finishes
from turnout.upstream.media import refuse_media

MessageList = Sequence[Mapping[str, Any]]
_SCALARS = str | int | float | bool
# Sets of parameters whose mapping is kept, of one model: an app has a handful, a caller who varies one has no end.
_KEPT = 64
# The longest text in a set that is kept: a caller's may have a megabyte.
_LONGEST_KEPT = 256


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A request as it leaves, and what the class needs to read its answer."""

    url: str
    headers: Mapping[str, str]
    body: Body
    optional: Body = field(default_factory=dict)
    litellm_params: Body = field(default_factory=dict)
    json_mode: bool = False


class Reader(Protocol):
    """Reads one stream's events."""

    def read(self, data: Mapping[str, Any]) -> Body | None:
        """The chunk that an event is, or None."""
        ...

    def last(self) -> Body | None:
        """The chunk that tells the usage, or None."""
        ...


class PlainDialect:
    """OpenAI's own, and those who speak it both ways: their class shapes the request, their answer passes as it is."""

    # Whether litellm's mapping of scalar parameters is the same whatever the messages.
    maps_alike = True
    # Whether `completion` makes content of a tool call that stood for a schema.
    reads_json_mode = False

    def __init__(self, litellm: Any, target: Deployment) -> None:
        self.litellm = litellm
        self.target = target
        self._known: dict[Any, Body] = {}
        self._litellm_params = {"api_base": target.api_base, "custom_llm_provider": target.provider}
        self._role_arguments = inspect.signature(
            target.config.translate_developer_role_to_system_role
        ).parameters.keys()

    def prepare(self, messages: MessageList, params: Mapping[str, Any], *, stream: bool) -> Prepared:
        """The request. Raises NotDirectError where litellm alone can ask this, and what its class raises."""
        copied = self.messages(messages)
        optional = self.optional(copied, params, stream=stream)
        extra = optional.pop("extra_body", None) or {}
        faked = optional.pop("fake_stream", False) or self.target.config.should_fake_stream(
            model=self.target.model, stream=stream, custom_llm_provider=self.target.provider
        )
        if stream and faked:
            raise NotDirectError("its streams are made up by litellm")
        json_mode = bool(optional.pop("json_mode", False))
        if json_mode and (stream or not self.reads_json_mode):
            raise NotDirectError("its schema is asked for as a tool, which litellm takes out of the answer")
        prepared = self.shaped(copied, optional, stream=stream)
        prepared.json_mode = json_mode
        prepared.body.update(extra)
        prepared.headers = {**prepared.headers, **self.target.headers}
        return prepared

    def messages(self, messages: MessageList) -> list[Body]:
        """Copies that the class may change, a developer's role as this provider calls it."""
        plain_text = all(isinstance(message.get("content"), str) and len(message) == 2 for message in messages)
        copied = [dict(message) for message in messages] if plain_text else copy.deepcopy([*map(dict, messages)])
        if any(message.get("role") == "developer" for message in copied):
            known = {
                "model": self.target.model,
                "custom_llm_provider": self.target.provider,
                "api_base": self.target.api_base,
                "model_info": None,
            }
            arguments = {name: value for name, value in known.items() if name in self._role_arguments}
            copied = list(self.target.config.translate_developer_role_to_system_role(messages=copied, **arguments))
        return copied

    def optional(self, messages: list[Body], params: Mapping[str, Any], *, stream: bool) -> Body:
        """The caller's parameters as this provider's, by litellm's own mapping, which costs as much as all the rest."""
        if not self.maps_alike or not all(map(_is_small, chain(params, params.values()))):
            return self._mapped(messages, params, stream=stream)
        # The types too: True and 1 are equal, and not the same on the wire.
        own = frozenset((name, type(value), value) for name, value in params.items())
        key = (own, stream, self.litellm.drop_params, self.litellm.modify_params)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = self._mapped(messages, params, stream=stream)
        return {
            name: copy.deepcopy(value) if value.__class__ in (dict, list) else value for name, value in known.items()
        }

    def _mapped(self, messages: list[Body], params: Mapping[str, Any], *, stream: bool) -> Body:
        streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        mapped: Body = self.litellm.utils.get_optional_params(
            model=self.target.model,
            custom_llm_provider=self.target.provider,
            messages=messages,
            **streaming,
            **params,
        )
        return mapped

    def shaped(self, messages: list[Body], optional: Body, *, stream: bool) -> Prepared:
        target = self.target
        litellm_params = dict(self._litellm_params)
        arguments = {"model": target.model, "optional_params": optional, "litellm_params": litellm_params}
        headers = target.config.validate_environment(
            headers=self.opening_headers(),
            messages=messages,
            api_key=target.api_key,
            api_base=target.api_base,
            **arguments,
        )
        url = self.url(optional, litellm_params, stream=stream)
        body = dict(target.config.transform_request(messages=messages, headers=headers, **arguments))
        if stream:
            body["stream"] = True
        elif target.place.sdk:
            body.pop("stream", None)
        return Prepared(url=url, headers=headers, body=body, optional=optional, litellm_params=litellm_params)

    def opening_headers(self) -> dict[str, str]:
        """What litellm adds by itself for some providers."""
        if self.target.provider == "openrouter":
            return {
                "HTTP-Referer": os.environ.get("OR_SITE_URL") or "https://litellm.ai",
                "X-Title": os.environ.get("OR_APP_NAME") or "liteLLM",
            }
        if not self.target.place.sdk:
            return {}
        attribution: Mapping[str, str] = getattr(self.target.config, "get_attribution_headers", dict)()
        organization = {"OpenAI-Organization": named} if (named := os.environ.get("OPENAI_ORGANIZATION")) else {}
        return {"Accept": "application/json", **attribution, **organization}

    def url(self, optional: Body, litellm_params: Body, *, stream: bool) -> str:
        if self.target.place.sdk:
            return (self.target.api_base or "").rstrip("/") + "/chat/completions"
        url: str = self.target.config.get_complete_url(
            api_base=self.target.api_base,
            api_key=self.target.api_key,
            model=self.target.model,
            optional_params=optional,
            stream=stream,
            litellm_params=litellm_params,
        )
        return url

    def completion(self, prepared: Prepared, data: Any, status: int, headers: Mapping[str, str], raw: bytes) -> Body:
        """The whole answer. Raises AttemptError."""
        return reading.plain_completion(data)

    def reader(self, prepared: Prepared, headers: Mapping[str, str]) -> Reader:
        """What reads this request's stream."""
        return reading.ChunkReader()


class ClassDialect(PlainDialect):
    """A wire of its own: the class reads the answer too."""

    reads_json_mode = True
    maps_alike = False

    def prepare(self, messages: MessageList, params: Mapping[str, Any], *, stream: bool) -> Prepared:
        for url in _media_urls(messages):
            self.check_media(url)
        return super().prepare(messages, params, stream=stream)

    def check_media(self, url: str) -> None:
        """Raises NotSendable for media that this class would fetch by itself."""
        if not url.startswith("data:"):
            raise refuse_media()

    def completion(self, prepared: Prepared, data: Any, status: int, headers: Mapping[str, str], raw: bytes) -> Body:
        import httpx

        own_finishes = hidden_finishes(data)
        response = httpx.Response(status, headers={"content-type": "application/json"}, content=raw)
        model_response = self.litellm.ModelResponse()
        model_response.usage = self.litellm.Usage()
        try:
            answer = self.target.config.transform_response(
                model=self.target.model,
                raw_response=response,
                model_response=model_response,
                logging_obj=SilentLog(prepared),
                api_key=self.target.api_key,
                request_data=prepared.body,
                messages=prepared.body.get("messages") or [],
                optional_params=prepared.optional,
                litellm_params=prepared.litellm_params,
                encoding=None,
                json_mode=prepared.json_mode,
            )
            body = translate.completion(answer, own_finishes)
        except AttemptError:
            raise
        except Exception as error:
            raise MalformedReply(f"the provider's answer cannot be read: {error_line(error)}") from error
        return body

    def reader(self, prepared: Prepared, headers: Mapping[str, str]) -> Reader:
        return PartReader(self.iterator(prepared, headers), self.target.model)

    def iterator(self, prepared: Prepared, headers: Mapping[str, str]) -> Any:
        """The class's own reader of events; its `chunk_parser` is what is used of it."""
        return self.target.config.get_model_response_iterator(
            streaming_response=None, sync_stream=False, json_mode=prepared.json_mode
        )


class SilentLog(SimpleNamespace):
    """What the classes call of litellm's log of a call; writes nothing."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(
            optional_params=prepared.optional, litellm_params=prepared.litellm_params, model_call_details={}
        )

    def pre_call(self, *_: Any, **__: Any) -> None:
        return None

    post_call = pre_call


def _is_small(value: object) -> bool:
    return isinstance(value, _SCALARS) and (not isinstance(value, str) or len(value) <= _LONGEST_KEPT)


def _media_urls(messages: MessageList) -> list[str]:
    """Every URL of an image in these messages. Raises NotDirectError for parts that only litellm reads."""
    urls = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind == "image_url":
                image = part.get("image_url")
                urls.append(str(image.get("url") if isinstance(image, Mapping) else image))
            elif kind not in ("text", "thinking", "redacted_thinking", "refusal"):
                raise NotDirectError("a part of a message is of a type that litellm alone reads")
            if isinstance(part, Mapping) and "cache_control" in part:
                raise NotDirectError("a part of a message carries cache_control")
        if "cache_control" in message:
            raise NotDirectError("a message carries cache_control")
    return urls
