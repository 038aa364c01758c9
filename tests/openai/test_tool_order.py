"""Tools in one order, whatever order the caller lists them in."""

from __future__ import annotations

import json
from typing import Any

from turnout.openai.prompt_cache import in_stable_order


def tool(name: str, *, strict: bool = False, turned: bool = False) -> dict[str, Any]:
    properties = {"why": {"type": "string", "description": "d"}, "answer": {"description": "e", "type": "string"}}
    parameters = {"type": "object", "properties": properties, "required": ["why", "answer"]}
    made: dict[str, Any] = {"type": "function", "function": {"name": name, "parameters": parameters, "strict": strict}}
    return {key: dict(reversed(value.items())) if isinstance(value, dict) else value
            for key, value in reversed(made.items())} if turned else made  # fmt: skip


def text(*tools: dict[str, Any]) -> str:
    return json.dumps(in_stable_order(tools))


def test_one_order_of_tools_and_keys() -> None:
    """Whoever lists them."""
    assert text(tool("a"), tool("b")) == text(tool("b", turned=True), tool("a", turned=True))
    assert list(in_stable_order([tool("a")])[0]["function"]["parameters"]["properties"]) == ["answer", "why"]


def test_a_strict_tools_properties_keep_their_order() -> None:
    """The model fills them in it: what it thinks before what it answers."""
    kept = in_stable_order([tool("a", strict=True)])[0]["function"]["parameters"]
    assert list(kept["properties"]) == ["why", "answer"]
    assert list(kept["properties"]["why"]) == ["description", "type"]
    assert kept["required"] == ["why", "answer"]


def test_where_the_caller_marked_a_tool_the_list_keeps_its_order() -> None:
    """A mark says: up to here."""
    tools = [tool("b"), {**tool("a"), "cache_control": {"type": "ephemeral"}}]
    assert [each["function"]["name"] for each in in_stable_order(tools)] == ["b", "a"]
