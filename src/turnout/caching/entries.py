"""A cached answer as bytes: the body ready to send, behind a short head with the decision, the model and the usage.

b"TA" version(1) flags(1) head length(4, big endian) head (JSON) body (JSON, deflated when flagged)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from turnout.openai.answers import dumps
from turnout.records import Decision, Tier, Usage, fields_of

_MAGIC = b"TA"
_VERSION = 1
_DEFLATED = 1
_FRAME = struct.Struct(">2sBBI")
# Below this the bytes saved are not worth the time; deflate level 1 takes about 10 us a KiB.
COMPRESS_ABOVE = 4096
# How many bytes of answers a process keeps unpacked beside the cache, packed form included, and at most of one.
KEPT_BYTES = 4 << 20
KEPT_BYTES_EACH = 64 << 10
# What one takes beside its two forms: records, dict slot, headers.
KEPT_OVERHEAD = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """A whole answer, and the decision, tier and model that it came from. body: the `chat.completion` JSON."""

    body: bytes
    decision: Decision
    tier: Tier
    model: str
    usage: Usage


def pack(answer: StoredAnswer) -> bytes:
    """The entry to store, as bytes."""
    head = dumps(
        {
            "decision": fields_of(answer.decision),
            "tier": answer.tier,
            "model": answer.model,
            "usage": fields_of(answer.usage),
        }
    )
    body, flags = answer.body, 0
    if len(body) > COMPRESS_ABOVE:
        body, flags = zlib.compress(body, 1), _DEFLATED
    return _FRAME.pack(_MAGIC, _VERSION, flags, len(head)) + head + body


def parse_decision(fields: Mapping[str, Any]) -> Decision:
    """A decision out of its JSON object. Raises KeyError and TypeError where it is none."""
    return Decision(**{**fields, "candidates": tuple(fields["candidates"])})


def unpack(packed: bytes) -> StoredAnswer | None:
    """The stored answer, or None where these bytes are not one of this version's (a miss, then)."""
    return _unpacked.get(packed)


def _unpack(packed: bytes) -> StoredAnswer | None:
    try:
        magic, version, flags, length = _FRAME.unpack_from(packed)
        if magic != _MAGIC or version != _VERSION:
            return None
        start = _FRAME.size + length
        head = json.loads(packed[_FRAME.size : start])
        body = packed[start:]
        return StoredAnswer(
            body=zlib.decompress(body) if flags & _DEFLATED else body,
            decision=parse_decision(head["decision"]),
            tier=head["tier"],
            model=head["model"],
            usage=Usage(**head["usage"]),
        )
    except (struct.error, zlib.error, ValueError, KeyError, TypeError):
        return None


class UnpackedAnswers:
    """The answers that were unpacked last, within so many bytes. Unpacking is pure and its results are frozen, so all
    requests may share them."""

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[bytes, StoredAnswer] = OrderedDict()
        self.bytes = 0
        # Doors serve on several threads.
        self._lock = Lock()

    def get(self, packed: bytes) -> StoredAnswer | None:
        with self._lock:
            answer = self._answers.get(packed)
            if answer is not None:
                self._answers.move_to_end(packed)
                return answer
        answer = _unpack(packed)
        if answer is not None and _kept_bytes(packed, answer) <= KEPT_BYTES_EACH:
            self._keep(packed, answer)
        return answer

    def clear(self) -> None:
        """Forgets them all."""
        with self._lock:
            self._answers.clear()
            self.bytes = 0

    def _keep(self, packed: bytes, answer: StoredAnswer) -> None:
        with self._lock:
            if packed in self._answers:
                return
            self._answers[packed] = answer
            self.bytes += _kept_bytes(packed, answer)
            while self.bytes > self._max_bytes:
                self.bytes -= _kept_bytes(*self._answers.popitem(last=False))


def _kept_bytes(packed: bytes, answer: StoredAnswer) -> int:
    return len(packed) + len(answer.body) + KEPT_OVERHEAD


_unpacked = UnpackedAnswers()


def forget_unpacked() -> None:
    """Drops what this process keeps unpacked: after a purge."""
    _unpacked.clear()
