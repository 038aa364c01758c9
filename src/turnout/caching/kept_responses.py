"""The responses that can be asked for again and continued: they lie among the stored answers, under their bounds, or in
the jobs' file, under the same."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnout.caching.entries import COMPRESS_ABOVE
from turnout.errors import Overloaded, StoreUnavailable
from turnout.openai.answers import dumps, loads
from turnout.ports.admission import NewEntry
from turnout.ports.entries import EntryStore

log = logging.getLogger("turnout")

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """owner: the key of the user who asked. body: the Response. messages: the chat so far, answer included. size: of
    both as JSON, in bytes; 0 of a new one."""

    owner: str
    body: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]]
    size: int = field(default=0, compare=False)


class ResponseStore:
    """Keeps responses for `ttl_s` seconds; of too many, those that end first go first. A purge of a user takes his."""

    def __init__(self, entries: EntryStore, ttl_s: float) -> None:
        self._entries = entries
        self._ttl_s = ttl_s

    async def put(self, response_id: str, response: KeptResponse, endpoint: str) -> None:
        """Keeps a new response."""
        fields = {"owner": response.owner, "body": response.body, "messages": list(response.messages)}
        store = NewEntry(
            packed=_pack(dumps(fields)),
            ttl_s=self._ttl_s,
            stale_s=0.0,
            user=response.owner,
            endpoint=endpoint,
        )
        try:
            await self._entries.store_many({_key(response_id): store})
        except StoreUnavailable as error:
            # The answer itself is here, and paid for.
            log.warning("a response is not kept: %s", error)

    async def get(self, response_id: str, owner: str) -> KeptResponse | None:
        """The response; None where none is kept for this user. Raises Overloaded where nobody can look."""
        key = _key(response_id)
        try:
            packed = (await self._entries.find_many((key,), None)).get(key)
        except StoreUnavailable as error:
            log.warning("kept responses cannot be read: %s", error)
            raise Overloaded("kept responses cannot be read at the moment; try again later") from error
        unpacked = _unpack(packed) if packed is not None else b"{}"
        fields = loads(unpacked)
        return KeptResponse(**fields, size=len(unpacked)) if fields.get("owner") == owner else None

    async def drop(self, response_id: str) -> None:
        """Forgets the response. Raises Overloaded where nobody can."""
        try:
            await self._entries.evict(_key(response_id))
        except StoreUnavailable as error:
            log.warning("a kept response cannot be dropped: %s", error)
            raise Overloaded("kept responses cannot be changed at the moment; try again later") from error


def _pack(fields: bytes) -> bytes:
    return zlib.compress(fields, 1) if len(fields) > COMPRESS_ABOVE else fields


def _unpack(packed: bytes) -> bytes:
    return packed if packed.startswith(b"{") else zlib.decompress(packed)


def _key(response_id: str) -> bytes:
    return hashlib.blake2b(response_id.encode("utf-8", "replace"), digest_size=KEY_BYTES, person=b"response").digest()
