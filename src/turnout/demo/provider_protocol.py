"""The OpenAI protocol as the demo's providers speak it: what is asked, and the shapes of what is replied.

A token is four characters, rounded up, in the prompt as in the reply.
"""

import json
import math
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

CHARACTERS_PER_TOKEN = 4


def tokens(text: str) -> int:
    """How many tokens a text counts as."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`prompt` is the last user message, which is what gets solved; `all_text` is what gets counted."""

    prompt: str
    all_text: str
    stream: bool
    include_usage: bool
    max_tokens: int | None


class Refused(Exception):
    """A request that is not answered: its HTTP status, and OpenAI's `param` and `code`."""

    def __init__(self, message: str, *, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def openai_error(refused: Refused) -> Response:
    """The error in OpenAI's shape."""
    error = {"message": str(refused), "type": "invalid_request_error", "param": refused.param, "code": refused.code}
    return JSONResponse({"error": error}, status_code=refused.status)


def read_request(body: bytes, model: str) -> Asked:
    """What a request body asks for. Raises Refused on anything but a valid request for this model."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("The request body is not valid JSON.") from None
    if not isinstance(sent, dict):
        raise Refused("The request body must be a JSON object.")
    if not isinstance(sent.get("model"), str):
        raise Refused("You must provide a model parameter.", param="model")
    if sent["model"] != model:
        missing = f"The model {sent['model']!a} does not exist; this server has {model!a}."
        raise Refused(missing, param="model", status=404, code="model_not_found")
    texts = _texts(sent.get("messages"))
    options = sent.get("stream_options")
    return Asked(
        prompt=next((text for role, text in reversed(texts) if role == "user"), ""),
        all_text="".join(text for _, text in texts),
        stream=bool(sent.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        max_tokens=_limit(sent),
    )


def _texts(messages: object) -> list[tuple[str, str]]:
    """Each message's role and text; of a content in parts, the text parts."""
    if not isinstance(messages, list) or not messages:
        raise Refused("`messages` must be a list with at least one message.", param="messages")
    texts = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refused("Every message must be an object with a role.", param="messages")
        texts.append((message["role"], _text(message.get("content"))))
    return texts


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    if content is None or isinstance(content, str):
        return content or ""
    raise Refused("A message's content must be a string or a list of parts.", param="messages")


def _limit(sent: dict[str, Any]) -> int | None:
    for param in ("max_completion_tokens", "max_tokens"):
        limit = sent.get(param)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise Refused(f"`{param}` must be a positive integer.", param=param)
        return limit
    return None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply's text and what it counts as; rendered whole, or as the chunks of a stream."""

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

    def whole(self) -> dict[str, Any]:
        """The `chat.completion` object."""
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return self._headed("chat.completion", [choice]) | {"usage": self.usage}

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """One `chat.completion.chunk` with its delta; the last of a choice has the finish reason."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._headed("chat.completion.chunk", [choice])

    def usage_chunk(self) -> dict[str, Any]:
        """The chunk after the last one, for those who asked for usage."""
        return self._headed("chat.completion.chunk", []) | {"usage": self.usage}

    def _headed(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": choices}
