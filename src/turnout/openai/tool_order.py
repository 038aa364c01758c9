"""Tools in one order, whatever order the caller lists them in: a provider's prompt cache knows a prefix by its bytes.
Pure. No text is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Tool = Mapping[str, Any]


def in_stable_order(tools: Sequence[Tool]) -> list[Tool]:
    """The tools by name, the keys of their JSON by the alphabet. The properties of a strict tool keep their order, for
    the model fills them in it; tools keep theirs where the caller marked one of them (`cache_control`)."""
    marked = any("cache_control" in tool for tool in tools)
    ordered = list(tools) if marked else sorted(tools, key=_name)
    return [_sorted(tool, strict=bool(_function(tool).get("strict"))) for tool in ordered]


def _function(tool: Tool) -> Mapping[str, Any]:
    function = tool.get("function")
    return function if isinstance(function, Mapping) else tool


def _name(tool: Tool) -> str:
    return str(_function(tool).get("name"))


def _sorted(value: Any, *, strict: bool, keep: bool = False) -> Any:
    """keep: this table's own keys stay in their order."""
    if isinstance(value, Mapping):
        keys = value if keep else sorted(value)
        return {key: _sorted(value[key], strict=strict, keep=strict and key == "properties") for key in keys}
    if isinstance(value, list | tuple):
        return [_sorted(item, strict=strict) for item in value]
    return value
