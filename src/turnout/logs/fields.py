"""A field of a record by name or path, and conversations in the shapes that clients and tracing tools write. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from turnout.logs.literals import json_value, python_value
from turnout.logs.names import is_grade
from turnout.logs.values import is_missing, number

LogRecord = Mapping[str, Any]


# [{'role': ..., and {'role': ...
_PYTHON_OBJECTS = re.compile(r"\[?\s*\{\s*'[\w.]+'\s*:")
_EMPTY: tuple[Any, ...] = ({}, [], "{}", "[]")


class NoPrompt(ValueError):
    """A record that was logged without its prompt."""


_ROLES = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "function": "tool",
}


def field(record: LogRecord, path: str) -> Any:
    """The value at a column's name, a JSON pointer (`/request_body/messages`) or a dotted path (`metadata.feature`);
    None where there is none. Texts that hold JSON are looked into on the way."""
    if path in record:
        return record[path]
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")] if path[:1] == "/" else None
    value: Any = record
    for step in steps or path.split("."):
        value = unpack_json(value)
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def first_field(record: LogRecord, *paths: str) -> Any:
    """The first of these fields that holds something: an empty list or object is nothing."""
    return next((value for path in paths if not (is_missing(value := field(record, path)) or value in _EMPTY)), None)


def unpack_json(value: Any) -> Any:
    """The JSON object or array that a text holds, or Python's way to write it; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "[") and value.rstrip()[-1:] in ("}", "]"):
        try:
            return json_value(value)
        except ValueError:
            literal = python_value(value) if _PYTHON_OBJECTS.match(value) else None
            return value if literal is None else literal
    return value


def prompt_and_answer(value: Any) -> tuple[Any, str | None]:
    """What was asked, a text or OpenAI's messages, and the answer that a conversation ends in, else None.

    A conversation that ends in `assistant` asks what stands before that: replayed whole, a model continues its answer.
    Raises ValueError where nothing was asked.
    """
    messages = unpack_json(value)
    if isinstance(messages, Mapping):
        for name in ("messages", "contents", "input", "prompt", "conversations", "text", "content", "question"):
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


def plain_grade(value: Any) -> Any:
    """The grade that an object of one grade holds, `{"rating": "thumbs_up"}`; any other value as it is."""
    held = unpack_json(value)
    if not isinstance(held, Mapping):
        return value
    named = [name for name in held if is_grade(str(name)) and not is_missing(held[name])]
    return plain_grade(held[named[0]]) if len(named) == 1 else value


def mean_of(grades: Iterable[Any]) -> float | None:
    """The mean of those that are numbers, booleans, or texts, lists and objects that hold one; else None."""
    numbers = [each for grade in grades if (each := _grade(grade)) is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _grade(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = first_field(value, "avg", "value", "score", "result.score")
    if isinstance(value, list):
        return mean_of(value)
    if is_missing(value):
        return None
    with suppress(ValueError):
        return number(value, "the score")
    return None


def nested(record: LogRecord) -> dict[str, Any]:
    """An object whose dotted names are paths, `llm.input_messages.0.content`: the objects and lists that they mean."""
    tree: dict[str, Any] = {}
    for name, value in record.items():
        *path, last = name.split(".")
        inner = tree
        for step in path:
            following = inner.setdefault(step, {})
            inner = following if isinstance(following, dict) else {}
        inner[last] = value
    return {name: _lists_within(value) for name, value in tree.items()}


def _lists_within(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists_within(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
