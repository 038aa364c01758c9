"""OpenAI's protocol as the demo's providers speak it: the request they read, and the completion they send.

A token is four characters, rounded up, in the prompt as in the completion.
"""

import json
import math
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

CHARACTERS_PER_TOKEN = 4


def count_tokens(text: str) -> int:
    """The tokens of a text."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A request for a completion. `prompt` is the last user message, which gets solved; `all_text` gets counted."""

    prompt: str
    all_text: str
    stream: bool
    include_usage: bool
    max_tokens: int | None


class InvalidRequest(Exception):
    """A request that is answered with an error: its HTTP status, and OpenAI's `param` and `code`."""

    def __init__(self, message: str, *, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def error_response(error: InvalidRequest) -> Response:
    """The error in OpenAI's shape."""
    body = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status)


def parse_request(content: bytes, model: str) -> ChatRequest:
    """The request in a body. Raises InvalidRequest on anything but a valid request for this model."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidRequest("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    if not isinstance(body.get("model"), str):
        raise InvalidRequest("You must provide a model parameter.", param="model")
    if body["model"] != model:
        message = f"The model {body['model']!a} does not exist; this server has {model!a}."
        raise InvalidRequest(message, param="model", status=404, code="model_not_found")
    texts = _texts(body.get("messages"))
    options = body.get("stream_options")
    return ChatRequest(
        prompt=next((text for role, text in reversed(texts) if role == "user"), ""),
        all_text="".join(text for _, text in texts),
        stream=bool(body.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        max_tokens=_max_tokens(body),
    )


def _texts(messages: object) -> list[tuple[str, str]]:
    """Each message's role and text; of a content in parts, the text parts."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("`messages` must be a list with at least one message.", param="messages")
    texts = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidRequest("Every message must be an object with a role.", param="messages")
        texts.append((message["role"], _text(message.get("content"))))
    return texts


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    if content is None or isinstance(content, str):
        return content or ""
    raise InvalidRequest("A message's content must be a string or a list of parts.", param="messages")


def _max_tokens(body: dict[str, Any]) -> int | None:
    for param in ("max_completion_tokens", "max_tokens"):
        limit = body.get(param)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise InvalidRequest(f"`{param}` must be a positive integer.", param=param)
        return limit
    return None


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A completion's text and tokens; rendered as one object, or as the chunks of a stream."""

    model: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def usage(self) -> dict[str, int]:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def as_object(self) -> dict[str, Any]:
        """The `chat.completion` object."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._rendered("chat.completion", [choice]) | {"usage": self.usage}

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """One `chat.completion.chunk` with its delta; the last of a choice has the finish reason."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._rendered("chat.completion.chunk", [choice])

    def usage_chunk(self) -> dict[str, Any]:
        """The chunk after the last one, for a request with `include_usage`."""
        return self._rendered("chat.completion.chunk", []) | {"usage": self.usage}

    def _rendered(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
