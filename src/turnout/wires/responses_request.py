"""OpenAI's `POST /v1/responses`: the request as a chat completion's. Pure.

Field names: the OpenAI API reference, "Create a model response".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.errors import InvalidRequest
from turnout.openai.messages import shorten
from turnout.openai.response_items import ITEMS, OWN_PARTS, are_more_than_chat, turn_of
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
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "text"),
        *("temperature", "top_p", "top_logprobs", "reasoning", "stream", "stream_options", "store", "metadata", "user"),
        *(
            "previous_response_id",
            "include",
            "service_tier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "truncation",
        ),
        *("safety_identifier", "background", "turnout"),
    }
)
# Items of a model's turn that a chat's message can say.
_CHAT_ITEMS = ("message", "function_call")
_ROLES = ("user", "assistant", "system", "developer")


def to_chat(
    body: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]] = (),
    *,
    own_endpoint: bool = False,
    conversation_fields: Sequence[str] = (),
) -> dict[str, Any]:
    """The body of a chat completion that asks for the same. earlier: the messages of the response that this one
    continues. conversation_fields: what the settings name a conversation by, carried on. own_endpoint: a
    model may be asked over its provider's own Responses endpoint; what no chat completion has stands in it as it came.
    Raises InvalidRequest for what cannot be asked so."""
    refuse_others(body, _FIELDS.union(_BESIDE if own_endpoint else (), conversation_fields), "")
    if body.get("background"):
        raise InvalidRequest("background is not supported on this path", param="background")
    if body.get("truncation") == "auto" and not own_endpoint:
        raise InvalidRequest("truncation must be disabled: nothing is left out of a request", param="truncation")
    text = require_object(body.get("text") or {}, "text")
    instructions = body.get("instructions")
    system = [{"role": "system", "content": require_text(instructions, "instructions")}] if instructions else []
    effort = require_object(body.get("reasoning") or {}, "reasoning").get("effort")
    messages = [*system, *earlier, *input_messages(body.get("input"), own_endpoint=own_endpoint)]
    if not messages:
        raise InvalidRequest("input must hold at least one item", param="input")
    optional = present_fields(reasoning_effort=effort, **_logprobs(body))
    asked = present_fields(
        model=body.get("model"),
        messages=messages,
        max_completion_tokens=body.get("max_output_tokens"),
        tools=_tools(body.get("tools"), own_endpoint),
        tool_choice=_tool_choice(body.get("tool_choice"), own_endpoint),
        parallel_tool_calls=body.get("parallel_tool_calls") if body.get("tools") else None,
        response_format=_format(text.get("format")),
        verbosity=text.get("verbosity"),
        **optional,
        turnout=extension(body.get("turnout"), optional),
        **{name: body.get(name) for name in ("temperature", "top_p", "stream", "user", "service_tier")},
        **{name: body.get(name) for name in ("metadata", "prompt_cache_key", "prompt_cache_retention")},
        safety_identifier=body.get("safety_identifier"),
    )
    return {**named_fields(body, conversation_fields), **asked}


_BESIDE = frozenset({"max_tool_calls"})


# What asks for the probabilities of the answer's tokens.
_LOGPROBS = "message.output_text.logprobs"


def _logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    if _LOGPROBS not in (_include(body.get("include")) or ()):
        return {}
    return present_fields(logprobs=True, top_logprobs=body.get("top_logprobs"))


def beside_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a chat completion has no place for, as it came: it is for a provider's own Responses endpoint."""
    reasoning = require_object(body.get("reasoning") or {}, "reasoning")
    choice = body.get("tool_choice")
    return present_fields(
        include=_include(body.get("include")),
        max_tool_calls=body.get("max_tool_calls"),
        reasoning={name: value for name, value in reasoning.items() if name != "effort" and value is not None} or None,
        tool_choice=choice if isinstance(choice, Mapping) and choice.get("type") != "function" else None,
        top_logprobs=body.get("top_logprobs"),
        truncation="auto" if body.get("truncation") == "auto" else None,
    )


def input_messages(items: Any, *, own_endpoint: bool = False) -> list[dict[str, Any]]:
    """The messages of the field `input`, a text or items. own_endpoint: see `to_chat`."""
    if items is None:
        raise InvalidRequest("input is missing", param="input")
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    messages: list[dict[str, Any]] = []
    objects = require_objects(items, "input")
    if not own_endpoint:
        for at, item in enumerate(objects):
            _add(messages, item, f"input.{at}")
        return messages
    at = 0
    while at < len(objects):
        end = at
        while end < len(objects) and _is_models(objects[end], f"input.{end}"):
            end += 1
        if end > at:
            _add_turn(messages, objects[at:end], at)
        else:
            end = at + 1
            _add(messages, objects[at], f"input.{at}", own_endpoint)
        at = end
    return messages


def _is_models(item: Mapping[str, Any], where: str) -> bool:
    """Whether the item is of a model's turn: what it said, thought or called, and what its provider's tools did."""
    kind = require_text(item.get("type", "message"), f"{where}.type")
    if kind == "message":
        return item.get("role") == "assistant"
    return not (kind.endswith(("_output", "_response")) or kind == "item_reference")


def _add_turn(messages: list[dict[str, Any]], items: list[Mapping[str, Any]], first: int) -> None:
    plain: list[dict[str, Any]] = []
    for at, item in enumerate(items, first):
        if item.get("type", "message") in _CHAT_ITEMS:
            _add(plain, item, f"input.{at}")
    messages += turn_of(items) if are_more_than_chat(items) else plain


def _add(messages: list[dict[str, Any]], item: Mapping[str, Any], where: str, own_endpoint: bool = False) -> None:
    match item.get("type", "message"):
        case "message":
            role = item.get("role")
            if role not in _ROLES:
                raise InvalidRequest(f"{where}.role must be one of {', '.join(_ROLES)}", param=f"{where}.role")
            messages.append({"role": role, "content": _content(item.get("content"), where, own_endpoint)})
        case "function_call":
            function = {name: require_text(item.get(name), f"{where}.{name}") for name in ("name", "arguments")}
            call = {
                "id": require_text(item.get("call_id"), f"{where}.call_id"),
                "type": "function",
                "function": function,
            }
            last = messages[-1] if messages else {}
            if last.get("role") == "assistant":
                # One turn of the model: what it says and all that it calls.
                last.setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        case "function_call_output":
            output = item.get("output")
            content = output if isinstance(output, str) else _content(output, where)
            call_id = require_text(item.get("call_id"), f"{where}.call_id")
            messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        case "reasoning":
            # Reasoning is bound to the provider that made it; chat completions take none back.
            return
        case other if own_endpoint and other != "item_reference":
            # What a tool of the app's gave that only this provider knows, such as a custom tool.
            output = item.get("output")
            call_id = str(item.get("call_id") or item.get("approval_request_id") or "")
            said = output if isinstance(output, str) else ""
            messages.append({"role": "tool", "tool_call_id": call_id, "content": said, ITEMS: [dict(item)]})
        case other:
            raise InvalidRequest(
                f"{where}: items of the type {shorten(other)} are not supported on this path", param=where
            )


def _include(include: Any) -> list[str] | None:
    if include and not (isinstance(include, list) and all(isinstance(each, str) for each in include)):
        raise InvalidRequest("include must be a list of texts", param="include")
    return include or None


def _content(content: Any, where: str, own_endpoint: bool = False) -> Any:
    if isinstance(content, str):
        return content
    parts = [
        _part(part, f"{where}.content.{at}", own_endpoint)
        for at, part in enumerate(require_objects(content, f"{where}.content"))
    ]
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _part(part: Mapping[str, Any], where: str, own_endpoint: bool = False) -> dict[str, Any]:
    kind = part.get("type")
    if own_endpoint and isinstance(kind, str) and kind in OWN_PARTS and (part.get("file_id") or part.get("file_url")):
        # Only its provider knows the file.
        return dict(part)
    match kind:
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": require_text(part.get("text"), f"{where}.text")}
        case "refusal":
            return {"type": "text", "text": require_text(part.get("refusal"), f"{where}.refusal")}
        case "input_image":
            url = require_text(part.get("image_url"), f"{where}.image_url")
            return {"type": "image_url", "image_url": present_fields(url=url, detail=part.get("detail"))}
        case "input_file":
            data = require_text(part.get("file_data"), f"{where}.file_data")
            return {"type": "file", "file": {"filename": part.get("filename") or "file", "file_data": data}}
        case other:
            raise InvalidRequest(
                f"{where}: parts of the type {shorten(other)} are not supported on this path", param=where
            )


def _tools(tools: Any, own_endpoint: bool) -> list[dict[str, Any]] | None:
    if not tools:
        return None
    return [_tool(tool, f"tools.{at}", own_endpoint) for at, tool in enumerate(require_objects(tools, "tools"))]


def _tool(tool: Mapping[str, Any], where: str, own_endpoint: bool) -> dict[str, Any]:
    if tool.get("type") != "function":
        if own_endpoint and isinstance(tool.get("type"), str) and "function" not in tool:
            return dict(tool)
        raise InvalidRequest(
            f"{where}: only tools of the type function are supported on this path", param=f"{where}.type"
        )
    function = present_fields(
        name=require_text(tool.get("name"), f"{where}.name"),
        description=tool.get("description"),
        parameters=tool.get("parameters"),
        strict=tool.get("strict"),
    )
    return {"type": "function", "function": function}


def _tool_choice(choice: Any, own_endpoint: bool) -> Any:
    if choice is None or isinstance(choice, str):
        return choice
    choice = require_object(choice, "tool_choice")
    if choice.get("type") != "function":
        if own_endpoint:
            return None
        raise InvalidRequest("tool_choice must be auto, none, required or a function", param="tool_choice.type")
    return {"type": "function", "function": {"name": require_text(choice.get("name"), "tool_choice.name")}}


def _format(form: Any) -> dict[str, Any] | None:
    if form is None or require_object(form, "text.format").get("type") == "text":
        return None
    if form.get("type") == "json_schema":
        schema = present_fields(**{name: form.get(name) for name in ("name", "description", "schema", "strict")})
        return {"type": "json_schema", "json_schema": schema}
    return dict(form)
