"""The CheckStore of all processes that share a Redis."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from turnout.ports.semantic import (
    RESULTS_AT_ONCE,
    CheckBatch,
    CheckResult,
    ExchangeResult,
    PairResult,
    Purged,
    RatedWrong,
    UninformativeAnswer,
)
from turnout.stores.redis.client import RedisClient
from turnout.stores.redis.connection import StoreUnreachable

log = logging.getLogger("turnout")

# How long a batch may be on its way: what a purge passed there is not added.
_UNDER_WAY_MS = 1000


class RedisCheckStore:
    """Implements the CheckStore port."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def exchange(self, name: str, batch: CheckBatch, age_s: float, since: str) -> ExchangeResult | None:
        results = [part for result in batch.results for part in _pack(result)]
        age_ms = round(age_s * 1000) + _UNDER_WAY_MS
        counts = (len(batch.counts), *batch.counts)
        head = (name, batch.worker, batch.number, age_ms, since, RESULTS_AT_ONCE)
        try:
            sums, last, more, *events = await self._client.here().session.run(
                "exchange_checks", *head, *counts, *results
            )
        except StoreUnreachable:
            return None
        return ExchangeResult(sums=sums, results=list(_unpacked(events)), last=last.decode(), more=bool(more))


def _unpacked(events: Iterable[Sequence[bytes]]) -> Iterable[CheckResult | Purged]:
    for what, value in events:
        if what == b"f":
            yield Purged(value.decode())
            continue
        try:
            yield _unpack(json.loads(value))
        except (ValueError, KeyError, TypeError) as error:
            # Of another version of Turnout, while workers are replaced.
            log.debug("a check result of the semantic cache is not understood: %r", error)


def _pack(result: CheckResult) -> tuple[str, str, str]:
    """The result, and whose it is."""
    users = ("", "")
    fields: dict[str, Any]
    match result:
        case PairResult():
            users = result.users
            digests = [each.hex() for each in (result.scope, result.known, result.asked, result.answer, result.sketch)]
            words, refused = dict(result.words), list(result.refused)
            fields = {"pair": digests, "agrees": result.agrees, "words": words, "refused": refused, "users": users}
        case UninformativeAnswer():
            fields = {"empty": result.answer.hex()}
        case RatedWrong():
            fields = {"rated": result.request_id}
        case _:
            assert_never(result)
    return json.dumps(fields, separators=(",", ":")), *users


def _unpack(fields: Any) -> CheckResult:
    if "empty" in fields:
        return UninformativeAnswer(bytes.fromhex(fields["empty"]))
    if "rated" in fields:
        return RatedWrong(str(fields["rated"]))
    scope, known, asked, answer, sketch = map(bytes.fromhex, fields["pair"])
    owner, user = fields["users"]
    return PairResult(
        scope=scope,
        known=known,
        asked=asked,
        agrees=bool(fields["agrees"]),
        words={str(word): str(other) for word, other in dict(fields["words"]).items()},
        answer=answer,
        sketch=sketch,
        refused=tuple(map(str, fields["refused"])),
        users=(str(owner), str(user)),
    )
