"""Anthropic's `POST /v1/messages`: the request as a chat completion's. Pure.

Field names: Anthropic's API reference, "Create a Message" (version 2023-06-01).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.errors import InvalidRequest
from turnout.openai.answers import dumps
from turnout.openai.messages import shorten
from turnout.wires.fields import (
    extension,
    named_fields,
    present_fields,
    refuse_others,
    require_object,
    require_objects,
    require_text,
)

_FIELDS = frozenset(
    {
        *("model", "messages", "max_tokens", "system", "tools", "tool_choice", "stop_sequences", "stream"),
        *("temperature", "top_p", "top_k", "metadata", "thinking", "service_tier", "prompt_cache_key", "turnout"),
        *("cache_control", "context_management", "output_config", "speed"),
    }
)
# What litellm's own translation gives a budget of thinking tokens for, largest first.
_EFFORTS = ((10_000, "high"), (5_000, "medium"), (0, "low"))
# Beyond what every provider's models take, and the most of that.
_HIGHEST = {"xhigh": "high", "max": "high"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def to_chat(body: Mapping[str, Any], conversation_fields: Sequence[str] = ()) -> dict[str, Any]:
    """The body of a chat completion that asks for the same. conversation_fields: what the settings name a conversation
    by, carried on. Raises InvalidRequest for what cannot be asked so."""
    refuse_others(body, _FIELDS.union(conversation_fields), "")
    for name in ("messages", "max_tokens"):
        if body.get(name) is None:
            raise InvalidRequest(f"{name} is missing", param=name)
    _refuse_edits(body.get("context_management"))
    if body.get("speed") not in (None, "standard"):
        raise InvalidRequest("speed must be standard on this path", param="speed")
    messages = _system(body.get("system"))
    for at, message in enumerate(require_objects(body["messages"], "messages")):
        messages.extend(_message(message, f"messages.{at}"))
    _mark_last(messages, body.get("cache_control"))
    metadata = require_object(body.get("metadata") or {}, "metadata")
    output = _output(body.get("output_config"), _effort(body.get("thinking")))
    asked = present_fields(
        model=body.get("model"),
        messages=messages,
        max_tokens=body["max_tokens"],
        tools=_tools(body.get("tools")),
        **_tool_choice(body.get("tool_choice")),
        stop=body.get("stop_sequences") or None,
        stream=body.get("stream"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        # `auto` is what every provider does unasked.
        service_tier="default" if body.get("service_tier") == "standard_only" else None,
        user=metadata.get("user_id"),
        metadata=named_fields(metadata, ("session_id",)) or None,
        prompt_cache_key=body.get("prompt_cache_key"),
        **output,
        turnout=extension(body.get("turnout"), output.keys() & {"reasoning_effort"}),
    )
    return {**named_fields(body, conversation_fields), **asked}


def _system(system: Any) -> list[dict[str, Any]]:
    if system is None:
        return []
    if isinstance(system, str):
        return [{"role": "system", "content": system}] if system else []
    parts = [_text_part(block, f"system.{at}") for at, block in enumerate(require_objects(system, "system"))]
    return [{"role": "system", "content": _plain(parts)}] if parts else []


def _plain(parts: list[dict[str, Any]]) -> Any:
    """One text alone as a text, as most providers know it; else the parts."""
    return parts[0]["text"] if len(parts) == 1 and set(parts[0]) == {"type", "text"} else parts


def _mark_last(messages: list[dict[str, Any]], mark: Any) -> None:
    """Marks the last block for the provider's prompt cache, as Anthropic does by itself for a mark of the request's."""
    if mark is None or not messages:
        return
    mark, last = require_object(mark, "cache_control"), messages[-1]
    if isinstance(last.get("content"), str) and last["content"]:
        last["content"] = [{"type": "text", "text": last["content"], "cache_control": mark}]
    elif isinstance(last.get("content"), list):
        *before, part = last["content"]
        last["content"] = [*before, {"cache_control": mark, **part}]


def _message(message: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    role = require_text(message.get("role"), f"{where}.role")
    content = message.get("content")
    if role not in ("user", "assistant"):
        raise InvalidRequest(f"{where}.role must be user or assistant", param=f"{where}.role")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    blocks = require_objects(content, f"{where}.content")
    return _assistant(blocks, where) if role == "assistant" else _user_turn(blocks, where)


def _user_turn(blocks: list[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    """The results of tools first, as chat completions order them, then what the user says beside them."""
    results, parts = [], []
    for at, block in enumerate(blocks):
        place = f"{where}.content.{at}"
        if block.get("type") == "tool_result":
            results.append(_tool_result(block, place))
        else:
            parts += _user_parts(block, place)
    return [*results, {"role": "user", "content": _plain(parts)}] if parts else results


def _user_parts(block: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """The block, after what it says of itself: chat completions have no field for that, and the model reads it."""
    about = []
    if block.get("type") == "document":
        # A file is named by its title.
        source = require_object(block.get("source"), f"{where}.source")
        names = ("context",) if source.get("type") == "base64" else ("title", "context")
        about = [require_text(block[name], f"{where}.{name}") for name in names if block.get(name)]
    return [*({"type": "text", "text": text} for text in about), _user_part(block, where)]


def _user_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    match block.get("type"):
        case "text":
            return _text_part(block, where)
        case "image":
            return {"type": "image_url", "image_url": {"url": _address(block.get("source"), where)}, **_cache(block)}
        case "document":
            source = require_object(block.get("source"), f"{where}.source")
            if source.get("type") == "text":
                return {
                    "type": "text",
                    "text": require_text(source.get("data"), f"{where}.source.data"),
                    **_cache(block),
                }
            name = block.get("title") or "document.pdf"
            return {"type": "file", "file": {"filename": name, "file_data": _data(source, where)}, **_cache(block)}
        case other:
            raise InvalidRequest(
                f"{where}: blocks of the type {shorten(other)} are not supported on this path", param=where
            )


def _text_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    if block.get("type") != "text":
        raise InvalidRequest(f"{where} must be a block of the type text", param=where)
    return {"type": "text", "text": require_text(block.get("text"), f"{where}.text"), **_cache(block)}


def _cache(block: Mapping[str, Any]) -> dict[str, Any]:
    """The block's mark for the provider's prompt cache."""
    return present_fields(cache_control=block.get("cache_control"))


def _address(source: Any, where: str) -> str:
    source = require_object(source, f"{where}.source")
    if source.get("type") == "url":
        return require_text(source.get("url"), f"{where}.source.url")
    return _data(source, where)


def _data(source: Mapping[str, Any], where: str) -> str:
    """A data: URL."""
    if source.get("type") != "base64":
        raise InvalidRequest(f"{where}.source: send it as base64", param=f"{where}.source")
    kind = require_text(source.get("media_type"), f"{where}.source.media_type")
    return f"data:{kind};base64,{require_text(source.get('data'), f'{where}.source.data')}"


def _tool_result(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    content = block.get("content")
    if content is None or isinstance(content, str):
        result: Any = content or ""
    else:
        items = require_objects(content, f"{where}.content")
        parts = [part for at, item in enumerate(items) for part in _user_parts(item, f"{where}.content.{at}")]
        result = _plain(parts) if parts else ""
    if block.get("is_error") and isinstance(result, str):
        # Chat completions have no field for it; the model reads it.
        result = f"Error: {result}"
    return {
        "role": "tool",
        "tool_call_id": require_text(block.get("tool_use_id"), f"{where}.tool_use_id"),
        "content": result,
    }


def _assistant(blocks: list[Mapping[str, Any]], where: str) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    thinking: list[dict[str, Any]] = []
    for at, block in enumerate(blocks):
        place = f"{where}.content.{at}"
        match block.get("type"):
            case "text":
                parts.append(_text_part(block, place))
            case "thinking" if not block.get("signature"):
                # Made up of another provider's reasoning: nobody takes it back.
                continue
            case "thinking" | "redacted_thinking":
                thinking.append(dict(block))
            case "tool_use":
                calls.append(_call(block, place))
            case other:
                raise InvalidRequest(
                    f"{place}: blocks of the type {shorten(other)} are not supported here", param=place
                )
    if not (parts or calls or thinking):
        return []
    # A turn that only thought: without its thoughts there must be a content all the same.
    content = _plain(parts) if parts else None if calls else ""
    return [
        {
            "role": "assistant",
            "content": content,
            **present_fields(tool_calls=calls or None, thinking_blocks=thinking or None),
        }
    ]


def _call(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    arguments = dumps(require_object(block.get("input") or {}, f"{where}.input")).decode()
    function = {"name": require_text(block.get("name"), f"{where}.name"), "arguments": arguments}
    return {"id": require_text(block.get("id"), f"{where}.id"), "type": "function", "function": function}


def _tools(tools: Any) -> list[dict[str, Any]] | None:
    if not tools:
        return None
    return [_tool(tool, f"tools.{at}") for at, tool in enumerate(require_objects(tools, "tools"))]


def _tool(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type", "custom") != "custom":
        raise InvalidRequest(f"{where}: Anthropic's own tools are not supported on this path", param=f"{where}.type")
    function = present_fields(
        name=require_text(tool.get("name"), f"{where}.name"),
        description=tool.get("description"),
        parameters=require_object(tool.get("input_schema"), f"{where}.input_schema"),
        strict=tool.get("strict"),
    )
    return {"type": "function", "function": function, **_cache(tool)}


def _tool_choice(choice: Any) -> dict[str, Any]:
    if choice is None:
        return {}
    choice = require_object(choice, "tool_choice")
    parallel = present_fields(parallel_tool_calls=False if choice.get("disable_parallel_tool_use") else None)
    kind = choice.get("type")
    if kind == "tool":
        named = {"type": "function", "function": {"name": require_text(choice.get("name"), "tool_choice.name")}}
        return {"tool_choice": named, **parallel}
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise InvalidRequest("tool_choice.type must be auto, any, none or tool", param="tool_choice.type")
    return {"tool_choice": _CHOICES[kind], **parallel}


def _refuse_edits(management: Any) -> None:
    """Raises InvalidRequest where something of the conversation is to be left out. Coding agents ask for all of it."""
    edits = require_object(management or {}, "context_management").get("edits") or []
    for at, edit in enumerate(require_objects(edits, "context_management.edits")):
        if edit.get("keep") != "all":
            where = f"context_management.edits.{at}"
            raise InvalidRequest(f"{where}: nothing is left out of a request on this path", param=where)


def _output(config: Any, effort: str | None) -> dict[str, Any]:
    """How much to think, by the word for it or else by `effort`, and the schema of the answer."""
    config = require_object(config or {}, "output_config")
    word, form = config.get("effort"), config.get("format")
    if form is not None:
        schema = require_object(
            require_object(form, "output_config.format").get("schema"), "output_config.format.schema"
        )
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    if word is not None:
        effort = _HIGHEST.get(require_text(word, "output_config.effort"), word)
    return present_fields(reasoning_effort=effort, response_format=form)


def _effort(thinking: Any) -> str | None:
    """How much to think, as every provider's models take it; an exact number of tokens is Anthropic's alone."""
    if thinking is None or require_object(thinking, "thinking").get("type") == "disabled":
        return None
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return None if thinking.get("type") == "adaptive" else "medium"
    return next(effort for least, effort in _EFFORTS if budget >= least or not least)
