"""What a call may hold where a budget or a token limit applies: every part and parameter with a known bound. Pure.

A white list: what is not named here might be read or written without end, or cost more than a token's price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from turnout.errors import InvalidRequest
from turnout.openai.messages import IMAGE_PARTS, Message
from turnout.openai.requests import CARRIED, PARAMETERS
from turnout.openai.response_items import ITEMS

# OpenAI's parameters whose cost no token bound holds: each search, and each second of sound, has a price of its own.
_UNBOUNDED = frozenset({"audio", "web_search_options"})
# Providers' own parameters that change how tokens are chosen or reported, or spend no more than the cap on the output.
_EXTRA = frozenset({
    "add_generation_prompt", "bad_words", "best_of", "chat_template_kwargs", "continue_final_message", "documents",
    "enable_thinking",
    "guided_choice", "guided_decoding_backend", "guided_grammar", "guided_json", "guided_regex", "ignore_eos",
    "include_reasoning", "include_stop_str_in_output", "k", "length_penalty", "min_p", "min_tokens", "mirostat",
    "p", "prompt_logprobs", "random_seed", "reasoning", "reasoning_format", "repetition_penalty", "return_images",
    "return_related_questions", "safe_prompt", "safetySettings", "safety_mode", "safety_settings",
    "skip_special_tokens", "spaces_between_special_tokens", "stop_token_ids", "structured_outputs", "thinking", "top_a",
    "top_k", "truncate_prompt_tokens", "typical_p",
})  # fmt: skip
# OpenAI's and Anthropic's ways of being served at no more than the usual price.
_SERVICE_TIERS = frozenset({"auto", "default", "flex", "scale", "standard", "standard_only"})
_TOOLS = frozenset({"function", "custom"})
_MESSAGE_FIELDS = frozenset({
    "annotations", "cache_control", "content", "extra_content", "function_call", "name", "prefix",
    "provider_specific_fields", "reasoning", "reasoning_content", "reasoning_details", "refusal", "response_items",
    "role", "thinking_blocks", "tool_call_id", "tool_calls",
})  # fmt: skip
# Items that are read as what stands in them.
_ITEMS = frozenset({"custom_tool_call", "custom_tool_call_output", "function_call", "message", "reasoning"})
_ITEM_PARTS = frozenset({"input_text", "output_text", "reasoning_text", "refusal", "summary_text", "text"})
_PARTS = frozenset({"input_audio", "redacted_thinking", "refusal", "text", "thinking"}) | IMAGE_PARTS
_PART_FIELDS = frozenset({"cache_control", "detail", "image_url", "type"})
_IMAGE_FIELDS = frozenset({"detail", "format", "url"})
_IMAGE_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def check_parameters(params: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a parameter of which no bound is known."""
    for what, name in unbounded_parameters(params, extra):
        raise _refused(what, name)


def unbounded_parameters(params: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of them has no known bound, each with the parameter's name."""
    for name in (*params, *extra):
        if name in _UNBOUNDED or (name not in PARAMETERS and name not in CARRIED and name not in _EXTRA):
            yield f"what {name} can cost", name
    if params.get("modalities", ["text"]) != ["text"]:
        yield "what an answer that is not text can cost", "modalities"
    if params.get("service_tier", "auto") not in _SERVICE_TIERS:
        yield "the price of this service_tier", "service_tier"
    for index, tool in enumerate(params.get("tools") or ()):
        kind = tool.get("type", "function")
        if not isinstance(kind, str) or kind not in _TOOLS:
            yield "what a tool that runs at the provider can cost", f"tools[{index}]"


def check_message(message: Message, where: str) -> None:
    """Raises InvalidRequest for a field of which no bound is known."""
    for name in message:
        if name not in _MESSAGE_FIELDS and message[name] is not None:
            raise _refused(f"how many tokens {name} is read as", f"{where}.{name}")
    items = message.get(ITEMS) or ()
    if not (isinstance(items, list | tuple) and all(isinstance(item, Mapping) for item in items)):
        raise _refused(f"how many tokens {ITEMS} is read as", f"{where}.{ITEMS}")
    for item in items:
        kind = item.get("type", "message")
        if not isinstance(kind, str) or kind not in _ITEMS or not isinstance(item.get("output", ""), str):
            raise _refused(f"how many tokens an item of type {str(kind)[:40]} is read as", where)
        content = item.get("content") or ""
        if not isinstance(content, str) and not _is_text(content):
            raise _refused("how many tokens an item's part that is no text is read as", where)


def _is_text(parts: Any) -> bool:
    """Whether these are parts of an item that hold nothing but text."""
    return isinstance(parts, list | tuple) and all(
        isinstance(part, Mapping) and isinstance(kind := part.get("type"), str) and kind in _ITEM_PARTS
        for part in parts
    )


def check_part(part: Mapping[str, Any], where: str) -> None:
    """Raises InvalidRequest for a part of which no bound is known: whatever is only referred to, but an image."""
    kind = part["type"]
    if kind in ("file", "input_file"):
        raise InvalidRequest(
            "a file's tokens cannot be bounded, and a budget or a token limit applies here: send its text", param=where
        )
    if kind not in _PARTS:
        raise _refused(f"how many tokens a part of type {kind[:40]} is read as", where)
    if kind in IMAGE_PARTS and not _is_image(part):
        raise InvalidRequest(
            "what this address leads to may be no image, and a budget or a token limit applies here: send the "
            "image as a data: URL",
            param=where,
        )


def _is_image(part: Mapping[str, Any]) -> bool:
    image = part.get("image_url")
    fields = image if isinstance(image, (dict, Mapping)) else {"url": image}
    url, form = fields.get("url"), fields.get("format", "image/")
    if not isinstance(url, str) or not isinstance(form, str) or not form.startswith("image/"):
        return False
    if not (part.keys() <= _PART_FIELDS and fields.keys() <= _IMAGE_FIELDS):
        return False
    if url[:5].lower() == "data:":
        return url[:11].lower() == "data:image/"
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return path.lower().endswith(_IMAGE_SUFFIXES)


def _refused(what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"{what} has no known bound, and a budget or a token limit applies here", param=param)
