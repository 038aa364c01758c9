"""Media that a request refers to by an address: what a provider's class would fetch by itself is refused before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import NotSendable

# Where a part of a message names a place: the part's field, and the field in it.
_PLACES = (
    ("image_url", "url"), ("video_url", "url"), ("audio_url", "url"), ("input_audio", "data"),
    ("file", "file_id"), ("file", "file_data"),
)  # fmt: skip


def media_urls(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every http address of media in these messages."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            for name, field in _PLACES if isinstance(part, Mapping) else ():
                value = part.get(name)
                place = value.get(field) if isinstance(value, Mapping) else value
                if isinstance(place, str) and place.lstrip()[:4].lower() == "http":
                    yield place


def refuse_media() -> NotSendable:
    """The error for media by address where the provider takes none: nothing is fetched for a caller."""
    text = "this model takes media as data: URLs only, and nothing is fetched for it; send it as a data: URL"
    return NotSendable(text, param="messages", text=text)
