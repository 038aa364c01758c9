"""A cached answer as bytes: the body ready to be sent, behind a short head that says who answered and why.

b"TA" version(1) flags(1) head length(4, big endian) head (JSON) body (JSON, deflated when flagged)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from turnout.records import Decision, Tier, Usage

_MAGIC = b"TA"
_VERSION = 1
_DEFLATED = 1
_FRAME = struct.Struct(">2sBBI")
# Below this the bytes saved are not worth the time; deflate level 1 takes about 10 us a KiB.
COMPRESS_ABOVE = 4096
# Answers kept unpacked, and the longest of them packed: 16 MiB at the most where nothing was deflated.
REMEMBERED, REMEMBERED_BYTES = 1024, 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """A whole answer and who gave it. `body` is the `chat.completion` object's JSON bytes."""

    body: bytes
    decision: Decision
    tier: Tier
    model: str
    usage: Usage


def pack(answer: StoredAnswer) -> bytes:
    """The bytes to store."""
    head = json.dumps(
        {
            "decision": asdict(answer.decision),
            "tier": answer.tier,
            "model": answer.model,
            "usage": asdict(answer.usage),
        },
        separators=(",", ":"),
    ).encode()
    body, flags = answer.body, 0
    if len(body) > COMPRESS_ABOVE:
        body, flags = zlib.compress(body, 1), _DEFLATED
    return _FRAME.pack(_MAGIC, _VERSION, flags, len(head)) + head + body


def decision_of(told: Mapping[str, Any]) -> Decision:
    """A decision out of its JSON object. Raises KeyError and TypeError where it is none."""
    return Decision(**{**told, "candidates": tuple(told["candidates"])})


def unpack(packed: bytes) -> StoredAnswer | None:
    """The stored answer, or None where these bytes are not one of this version's (a miss, then)."""
    return _remembered(packed) if len(packed) <= REMEMBERED_BYTES else _unpacked(packed)


def _unpacked(packed: bytes) -> StoredAnswer | None:
    try:
        magic, version, flags, length = _FRAME.unpack_from(packed)
        if magic != _MAGIC or version != _VERSION:
            return None
        start = _FRAME.size + length
        head = json.loads(packed[_FRAME.size : start])
        body = packed[start:]
        return StoredAnswer(
            body=zlib.decompress(body) if flags & _DEFLATED else body,
            decision=decision_of(head["decision"]),
            tier=head["tier"],
            model=head["model"],
            usage=Usage(**head["usage"]),
        )
    except (struct.error, zlib.error, ValueError, KeyError, TypeError):
        return None


# What is asked often is unpacked once. Values out of values, so it may be shared by all.
_remembered = lru_cache(maxsize=REMEMBERED)(_unpacked)
