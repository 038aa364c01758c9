"""`GET /turnout/status`, its figures, its events, and `/turnout/metrics`."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode

from turnout.api.access import StatusAccess
from turnout.api.exchange import ApiReply, ApiRequest, EventStream, json_reply
from turnout.api.status_page import live_page, page_headers
from turnout.api.status_snapshot import RANGES, Snapshots
from turnout.errors import InvalidRequest
from turnout.openai.answers import event
from turnout.ports.runtime import Clock
from turnout.telemetry.prometheus_text import CONTENT_TYPE, render

NO_STORE = ("cache-control", "no-store")
DEFAULT_RANGE = "48h"
# Between two events, and how many come before the browser has to ask again: a server that stops waits for open replies.
EVENT_S = 2.0
MOST_EVENTS = 5


class StatusApi:
    """Answers who has the token."""

    def __init__(self, access: StatusAccess, snapshots: Snapshots, clock: Clock) -> None:
        self._access = access
        self._snapshots = snapshots
        self._clock = clock

    async def page(self, request: ApiRequest) -> ApiReply:
        """The status page; from an address that holds the token, a redirect to the same without it."""
        if self._access.check(request):
            left = urlencode([(name, value) for name, value in parse_qsl(request.query) if name != "token"])
            location = f"status?{left}" if left else "status"
            headers = [("location", location), NO_STORE, self._access.cookie_header(request)]
            return ApiReply(status=303, headers=headers, body=b"", content_type="text/plain; charset=utf-8")
        return ApiReply(status=200, headers=page_headers(), body=live_page(), content_type="text/html; charset=utf-8")

    async def figures(self, request: ApiRequest) -> ApiReply:
        """The figures as JSON, of the range that the address names: `?range=1h`, `6h`, `24h` or `48h`."""
        in_address = self._access.check(request)
        snapshot = await self._snapshots.of(range_of(request))
        headers = [NO_STORE, *([self._access.cookie_header(request)] if in_address else [])]
        return json_reply(200, snapshot, headers)

    async def events(self, request: ApiRequest) -> StatusEvents:
        """The figures as server-sent events, for as long as the page is open."""
        self._access.check(request)
        # Where a reply holds a thread there is one event; the browser asks again.
        most = MOST_EVENTS if request.long_lived else 1
        return StatusEvents(self._snapshots, range_of(request), self._clock, most)

    async def metrics(self, request: ApiRequest) -> ApiReply:
        """The counts since the start, in Prometheus' text form."""
        self._access.check_metrics(request)
        totals, gauges = dict(await self._snapshots.totals()), await self._snapshots.gauges()
        # Some milliseconds of text: on a thread, so that no request waits for it.
        body = await asyncio.to_thread(render, totals, gauges)
        return ApiReply(status=200, headers=[NO_STORE], body=body, content_type=CONTENT_TYPE)


class StatusEvents(EventStream):
    """The figures of a range, an event every EVENT_S seconds, `most` of them."""

    def __init__(self, snapshots: Snapshots, range_name: str, clock: Clock, most: int) -> None:
        super().__init__([], cache_control="no-store")
        self._snapshots = snapshots
        self._range = range_name
        self._clock = clock
        self._left = self._most = most

    async def __anext__(self) -> bytes:
        if not self._left:
            self.over = True
            raise StopAsyncIteration
        if self._left < self._most:
            await self._clock.sleep(EVENT_S)
        self._left -= 1
        self.over = not self._left
        first = f"retry: {EVENT_S * 1000:.0f}\n".encode() if self._left == self._most - 1 else b""
        return first + event(await self._snapshots.of(self._range))


def range_of(request: ApiRequest) -> str:
    """The range that the address names. Raises InvalidRequest."""
    name = dict(parse_qsl(request.query)).get("range", DEFAULT_RANGE)
    if name not in RANGES:
        raise InvalidRequest(f"range must be one of {', '.join(RANGES)}", param="range")
    return name
