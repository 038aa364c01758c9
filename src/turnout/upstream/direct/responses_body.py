"""A chat, with what stands beside it, as the body of a Responses request. Pure.

Field names: the OpenAI API reference, "Create a model response".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import Unsupported
from turnout.openai.answers import Body
from turnout.openai.messages import shorten
from turnout.openai.response_items import ENCRYPTED, ITEMS, OWN_PARTS, can_be_given_back

# Chat completions' parameters that Responses calls the same.
_SAME = frozenset({
    "metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "temperature", "top_p", "user",
})  # fmt: skip
_CAPS = ("max_tokens", "max_completion_tokens")


def responses_body(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    beside: Mapping[str, Any],
    *,
    stream: bool,
    reasons: bool | None,
    with_reasoning: bool = True,
) -> Body:
    """The body. reasons: whether the model is known to reason; None where nobody knows. with_reasoning: earlier turns'
    reasoning goes along. Nothing is stored at the provider: what is kept is kept here. Raises Unsupported."""
    given = {**params, **(params.get("extra_body") or {})}
    body: Body = {"model": model, "store": False, **{name: given[name] for name in _SAME if name in given}}
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        body["instructions"] = first["content"]
        messages = messages[1:]
    body["input"] = [item for message in messages for item in _items(message, with_reasoning)]
    if caps := [given[name] for name in _CAPS if isinstance(given.get(name), int)]:
        body["max_output_tokens"] = min(caps)
    if given.get("tools"):
        body["tools"] = [_tool(tool) for tool in given["tools"]]
    if "tool_choice" in given:
        body["tool_choice"] = _tool_choice(given["tool_choice"])
    text = {"format": _format(given["response_format"])} if "response_format" in given else {}
    if "verbosity" in given:
        text["verbosity"] = given["verbosity"]
    if text:
        body["text"] = text
    _add_beside(body, beside, given.get("reasoning_effort"), reasons)
    return {**body, "stream": True} if stream else body


def _add_beside(body: Body, beside: Mapping[str, Any], effort: str | None, reasons: bool | None) -> None:
    body.update({name: value for name, value in beside.items() if name not in ("include", "reasoning")})
    reasoning = {**beside.get("reasoning", {}), **({"effort": effort} if effort is not None else {})}
    if effort is not None and effort != "none" and reasons is False:
        raise Unsupported("this model does not reason", param="reasoning")
    if reasoning and reasons is not False:
        body["reasoning"] = reasoning
    include = [each for each in beside.get("include", ()) if each != ENCRYPTED]
    if reasons or (reasons is None and ENCRYPTED in beside.get("include", ())):
        include.append(ENCRYPTED)
    if include:
        body["include"] = include


def _items(message: Mapping[str, Any], with_reasoning: bool) -> Iterator[Mapping[str, Any]]:
    if ITEMS in message:
        yield from _given_back(message[ITEMS], with_reasoning)
        return
    role, content = message["role"], message.get("content")
    if role == "tool":
        output = content if isinstance(content, str) else [_part(part, role) for part in content or ()]
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": output}
        return
    if content is not None:
        parts = content if isinstance(content, str) else [_part(part, role) for part in content]
        yield {"role": role, "content": parts}
    for call in message.get("tool_calls") or ():
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _given_back(items: Iterable[Mapping[str, Any]], with_reasoning: bool) -> Iterator[Mapping[str, Any]]:
    """As they came. An item that came with reasoning which does not go along cannot go by its id either."""
    items = list(items)
    kept = [item for item in items if item.get("type") != "reasoning" or (with_reasoning and can_be_given_back(item))]
    for item in kept:
        bare = len(kept) < len(items) and item.get("type", "message") in ("message", "function_call")
        yield {name: value for name, value in item.items() if name != "id"} if bare else item


def _part(part: Mapping[str, Any], role: str) -> Mapping[str, Any]:
    kind = part.get("type")
    if kind in OWN_PARTS:
        return part
    if kind == "text":
        return {"type": "output_text" if role == "assistant" else "input_text", "text": part["text"]}
    if kind == "image_url":
        image = part["image_url"]
        fields = image if isinstance(image, Mapping) else {"url": image}
        detail = {"detail": fields["detail"]} if fields.get("detail") else {}
        return {"type": "input_image", "image_url": fields.get("url"), **detail}
    if kind == "file":
        return {"type": "input_file", **part["file"]}
    raise Unsupported(f"a Responses endpoint takes no part of the type {shorten(kind)}", param="messages")


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "function", **tool["function"]} if "function" in tool else tool


def _tool_choice(choice: Any) -> Any:
    return (
        {"type": "function", **choice["function"]} if isinstance(choice, Mapping) and "function" in choice else choice
    )


def _format(form: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "json_schema", **form["json_schema"]} if "json_schema" in form else form
