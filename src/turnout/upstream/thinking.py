"""What a model thought in earlier turns, and whether it may think now, by what its provider takes. Pure.

Anthropic's rule: "When thinking is enabled, a final assistant message must start with a thinking block (preceding the
lastmost set of tool_use and tool_result blocks)"; another request is a 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.openai.messages import Message, Messages

BLOCKS = "thinking_blocks"
# Whose wire has a place for signed blocks, as litellm's classes write it. Others refuse a field that they do not know.
_TAKE_BLOCKS = frozenset({
    "anthropic", "azure_ai", "bedrock", "bedrock_converse", "databricks", "gemini", "litellm_proxy", "vertex_ai",
    "vertex_ai_beta",
})  # fmt: skip
_ASKING = ("reasoning_effort", "thinking")


def sendable(messages: Messages, provider: str) -> Messages:
    """The messages as this provider takes them; the same tuple where there is nothing to do."""
    if provider in _TAKE_BLOCKS or not any(BLOCKS in message for message in messages):
        return messages
    return tuple({name: value for name, value in message.items() if name != BLOCKS} for message in messages)


def is_claude(provider: str, model: str) -> bool:
    """Whether Anthropic's rules hold for the model, wherever it runs."""
    return provider == "anthropic" or (provider in _TAKE_BLOCKS and "claude" in model)


def lacks_thinking(messages: Sequence[Message]) -> bool:
    """Whether the turn under way calls tools and does not tell what was thought before: it came in a protocol that has
    no place for it, or from another model."""
    turn: list[Message] = []
    for at in range(len(messages) - 1, -1, -1):
        role = messages[at]["role"]
        if role == "assistant":
            turn.append(messages[at])
        elif role != "tool" and turn and messages[at - 1]["role"] != "tool":
            # What a user says beside the results of tools ends no turn.
            break
    return bool(turn) and bool(turn[0].get("tool_calls")) and not any(message.get(BLOCKS) for message in turn)


def without_thinking(params: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The parameters of a call that asks for no thinking, and what was left out of them. own: the model's, which the
    call's go before: None stands for one that is not to be sent."""
    kept = {name: value for name, value in params.items() if name not in _ASKING}
    unsaid = {name: None for name in _ASKING if own.get(name) is not None}
    left = tuple(name for name in _ASKING if params.get(name) is not None or name in unsaid)
    return (params, ()) if not left else ({**kept, **unsaid}, left)
