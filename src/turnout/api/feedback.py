"""`POST /turnout/feedback`: how good an answer was, from whoever got it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from turnout.api.access import StatusAccess
from turnout.api.exchange import ApiReply, ApiRequest
from turnout.errors import InvalidRequest, NotFound, RateLimitExceeded, StoreUnavailable, TooLarge
from turnout.openai.answers import load_foreign
from turnout.ports.admission import CacheAdmin
from turnout.ports.counting import RememberedAnswer
from turnout.ports.runtime import Clock
from turnout.records import SERVED_FROM_CACHE
from turnout.telemetry.count_keeper import CountKeeper
from turnout.telemetry.feedback_log import FeedbackLog
from turnout.telemetry.series import MICRO

log = logging.getLogger("turnout")

# Below it an answer was wrong: where it came from the cache, it is not served again.
WRONG = 0.5
THUMBS = {"up": 1.0, "down": 0.0, "thumbs_up": 1.0, "thumbs_down": 0.0, "👍": 1.0, "👎": 0.0}
LONGEST_ID = 200
LONGEST_BODY = 4096
# Another worker's answers are in the shared store within a second.
FOUND_WITHIN_S = 1.5
# Of one answer, by whoever got it: enough to change one's mind. Each is a line of the log, and a part of the figures
# that all see.
MOST_RATINGS = 20
# Answers whose ratings are counted; a process that has seen more begins anew with the oldest.
MOST_RATED = 10_000


class Feedback:
    """Counts ratings, and appends them beside the request log where there is one. shared: other processes answer
    requests too. report_wrong: given the request that a similar question's answer was
    wrong for."""

    def __init__(
        self,
        *,
        access: StatusAccess,
        keeper: CountKeeper,
        cache_admin: CacheAdmin,
        clock: Clock,
        feedback_log: FeedbackLog | None,
        shared: bool,
        report_wrong: Callable[[str], None] | None = None,
    ) -> None:
        self._access = access
        self._keeper = keeper
        self._cache_admin = cache_admin
        self._clock = clock
        self._log = feedback_log
        self._shared = shared
        self._report_wrong = report_wrong
        self._rated: OrderedDict[str, int] = OrderedDict()

    async def answer(self, request: ApiRequest) -> ApiReply:
        """Takes a rating of an answer. Raises InvalidRequest for a body that holds no rating, NotFound for an answer
        that is not known, or that another user got, RateLimitExceeded for one that was rated so often already."""
        request_id, quality = parse_rating(request.body)
        answer = await self._find(request_id)
        trusted = self._access.knows_token(request)
        if answer is None or not (trusted or answer.user == request.caller.user_key):
            raise NotFound("no answer with this request_id is known here", param="request_id")
        if not trusted:
            self._count(request_id)
        counters = self._keeper.counters
        counters.add("feedback", answer.tier, answer.cache)
        counters.add("feedback_quality", answer.tier, amount=round(quality * MICRO))
        counters.changed()
        if self._log is not None:
            await asyncio.to_thread(self._log.append, request_id, quality)
        if quality < WRONG and answer.cache in SERVED_FROM_CACHE and answer.cache_key is not None:
            await self._evict(answer)
            if self._report_wrong is not None and answer.cache == "semantic":
                self._report_wrong(request_id)
        return ApiReply(status=204, headers=[("x-request-id", request.request_id)], body=b"")

    def _count(self, request_id: str) -> None:
        ratings = self._rated.get(request_id, 0) + 1
        if ratings > MOST_RATINGS:
            raise RateLimitExceeded(f"this answer was rated {MOST_RATINGS} times already")
        self._rated[request_id] = ratings
        self._rated.move_to_end(request_id)
        if len(self._rated) > MOST_RATED:
            self._rated.popitem(last=False)

    async def _find(self, request_id: str) -> RememberedAnswer | None:
        await self._keeper.flush()
        answer = await self._keeper.store.find_answer(request_id)
        if answer is None and self._shared:
            await self._clock.sleep(FOUND_WITHIN_S)
            answer = await self._keeper.store.find_answer(request_id)
        return answer

    async def _evict(self, answer: RememberedAnswer) -> None:
        assert answer.cache_key is not None
        try:
            if await self._cache_admin.evict(answer.cache_key):
                self._keeper.counters.add("evicted", answer.cache)
        except StoreUnavailable as error:
            log.warning("a cached answer was rated wrong, and is still served: %s", error)


def parse_rating(body: bytes) -> tuple[str, float]:
    """The request id and the quality, in [0, 1]; a thumb or a boolean is 1 or 0. Raises InvalidRequest, and TooLarge:
    whoever asks, and however often, pays for none of it."""
    if len(body) > LONGEST_BODY:
        raise TooLarge(f"a rating is no longer than {LONGEST_BODY} bytes")
    try:
        fields: Any = load_foreign(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body must be a JSON object") from None
    if not isinstance(fields, dict):
        raise InvalidRequest("the body must be a JSON object")
    for name in fields:
        if name not in ("request_id", "quality"):
            raise InvalidRequest("the body holds request_id and quality, and nothing else", param=str(name)[:80])
    request_id, quality = fields.get("request_id"), fields.get("quality")
    if not isinstance(request_id, str) or not 0 < len(request_id) <= LONGEST_ID:
        raise InvalidRequest("request_id must be the x-request-id of an answer", param="request_id")
    if isinstance(quality, str):
        quality = THUMBS.get(quality)
    if not isinstance(quality, int | float) or not math.isfinite(quality) or not 0 <= quality <= 1:
        raise InvalidRequest('quality must be a number from 0 to 1, true or false, or "up" or "down"', param="quality")
    return request_id, float(quality)
