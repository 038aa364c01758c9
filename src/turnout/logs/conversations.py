"""Conversations in the shapes that clients and tracing tools write: what was asked, and what was answered. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnout.logs.fields import LogRecord, field, first_field, unpack_json
from turnout.logs.literals import python_value
from turnout.logs.values import is_missing

# Where an object holds what was asked; a logged request holds its body.
_ASKED = ("messages", "contents", "input", "prompt", "conversations", "text", "content", "question", "body")
# As Anthropic's preference data part them.
_SPEAKERS = re.compile(r"(?:^|\n\n)(Human|Assistant):", re.I)
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "function": "tool",
}


class NoPrompt(ValueError):
    """A record that was logged without its prompt."""


def prompt_and_answer(value: Any) -> tuple[Any, str | None]:
    """What was asked, a text or OpenAI's messages, and the answer that a conversation ends in, else None.

    A conversation that ends in `assistant` asks what stands before that: replayed whole, a model continues its answer.
    Raises ValueError where nothing was asked.
    """
    messages = unpack_json(value)
    if isinstance(messages, str) and messages[:2] in ("['", '["') and messages.rstrip()[-1:] == "]":
        # RouterBench's lists of one prompt, as Python writes them.
        listed = python_value(messages)
        messages = listed if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], str) else value
    if isinstance(messages, Mapping):
        for name in _ASKED:
            if not is_missing(messages.get(name)):
                system = first_field(messages, "system", "instructions", "systemInstruction", "system_instruction")
                return _under(system, *prompt_and_answer(messages[name]))
        raise ValueError("prompt is an object without messages")
    if not isinstance(messages, list):
        return value, None
    if len(messages) == 1 and isinstance(messages[0], list | str):
        # LangChain wraps each conversation of a batch; RouterBench each prompt.
        return prompt_and_answer(messages[0])
    if messages and all(isinstance(message, str) for message in messages):
        return "\n".join(messages), None
    read = [each for message in messages for each in (*_tool_results(message), *_messages(message))]
    end = len(read)
    while end and read[end - 1].get("role") == "assistant":
        end -= 1
    if not end:
        raise ValueError("prompt is empty" if not read else "the conversation holds answers alone, no question")
    return read[:end], text_of_content(read[end]["content"]) if end < len(read) else None


def transcript(value: Any) -> Any:
    """The messages of a text that parts them by `Human:` and `Assistant:`; any other value as it is."""
    parts = _SPEAKERS.split(value) if isinstance(value, str) else []
    if len(parts) < 3 or parts[0].strip():
        return value
    said = zip(parts[1::2], parts[2::2], strict=True)
    return [{"role": _ROLES.get(role.lower(), role.lower()), "content": text.strip()} for role, text in said]


def _under(system: Any, prompt: Any, answer: str | None) -> tuple[Any, str | None]:
    """The prompt, headed by the system prompt that Anthropic's, Gemini's and OpenAI's Responses' bodies hold apart."""
    has_parts = isinstance(system, Mapping) and isinstance(system.get("parts"), list)
    text = _parts_text(system["parts"]) if has_parts else text_of_content(system)
    if not text or (isinstance(prompt, list) and prompt and prompt[0]["role"] in ("system", "developer")):
        return prompt, answer
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return [{"role": "system", "content": text}, *messages], answer


def _messages(message: Any) -> Iterable[dict[str, Any]]:
    """The message, unless all it holds are tools' results."""
    parts = _parts_of(message)
    if parts and all(part.get("type") == "tool_call_response" for part in parts):
        return
    read = _message(message)
    if calls := [_tool_call(part) for part in parts if part.get("type") == "tool_call"]:
        read = {**read, "content": read["content"] or None, "tool_calls": calls}
    yield read


def _tool_results(message: Any) -> Iterable[dict[str, Any]]:
    for part in _parts_of(message):
        if part.get("type") == "tool_call_response":
            result = first_field(part, "response", "result", "content")
            text = result if isinstance(result, str) else json.dumps(result, default=str)
            yield {"role": "tool", "content": text, "tool_call_id": str(part.get("id") or "")}


def _parts_of(message: Any) -> list[LogRecord]:
    """OpenTelemetry's parts of a message."""
    parts = message.get("parts") if isinstance(message, Mapping) else None
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def _tool_call(part: LogRecord) -> dict[str, Any]:
    arguments = part.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, default=str)
    called = {"name": str(part.get("name") or ""), "arguments": text}
    return {"id": str(part.get("id") or ""), "type": "function", "function": called}


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise ValueError(f"a message is a {type(message).__name__}, not an object")
    if "kwargs" in message and "id" in message:
        # LangChain's serialised messages.
        message = {
            **message["kwargs"],
            "role": message["kwargs"].get("type") or str(message["id"][-1])[: -len("Message")],
        }
    if "message.role" in message or "message" in message:
        inner = message.get("message")
        message = inner if isinstance(inner, Mapping) else _without_prefix(message, "message.")
    role = str(message.get("role") or message.get("from") or message.get("type") or "user").lower()
    content = message["content"] if "content" in message else message.get("value", message.get("text"))
    if content is None and isinstance(message.get("parts"), list):
        content = _parts_text(message["parts"])
    if isinstance(content, list) and all(_is_text(part) for part in content):
        # Exports pad each part with the empty fields of the others.
        content = text_of_content(content)
    kept = {name: message[name] for name in ("tool_calls", "tool_call_id", "name") if not is_missing(message.get(name))}
    return {"role": _ROLES.get(role, role), "content": content, **kept}


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in ("text", "input_text", "output_text")


def _without_prefix(message: LogRecord, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in message.items()}


def _parts_text(parts: Sequence[Any]) -> str:
    """The texts of OpenTelemetry's parts, and of Gemini's."""
    texts = (part.get("content", part.get("text")) if isinstance(part, Mapping) else part for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str))


def text_of_content(content: Any) -> str | None:
    """A message's content as text; None where it holds none."""
    if isinstance(content, list):
        texts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "\n".join(filter(None, texts)) or None
    return content if isinstance(content, str) else None


def answer_of_completion(body: Any) -> str | None:
    """The text of OpenAI's `chat.completion` object, of its message, or the text itself."""
    body = unpack_json(body)
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return answer_of_completion(body[0]) if body else None
    if not isinstance(body, Mapping):
        return None
    for path in ("choices.0.message.content", "message.content", "content", "generations.0.0.text", "output", "text"):
        if isinstance(text := field(body, path), str):
            return text
    return None
