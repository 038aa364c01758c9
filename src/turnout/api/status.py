"""`GET /turnout/status.json` and `/turnout/metrics`: the same figures for programs and for Prometheus."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from turnout.api.access import StatusAccess
from turnout.api.exchange import ApiReply, ApiRequest, json_reply
from turnout.api.status_snapshot import RANGES, Snapshots
from turnout.errors import InvalidRequest
from turnout.telemetry.prometheus_text import CONTENT_TYPE, render

NO_STORE = ("cache-control", "no-store")
DEFAULT_RANGE = "48h"


class Status:
    """Answers who has the token."""

    def __init__(self, access: StatusAccess, snapshots: Snapshots) -> None:
        self._access = access
        self._snapshots = snapshots

    async def figures(self, request: ApiRequest) -> ApiReply:
        """The figures as JSON, of the range that the address names: `?range=1h`, `6h`, `24h` or `48h`."""
        in_address = self._access.check(request)
        snapshot = await self._snapshots.of(range_of(request))
        headers = [NO_STORE, *([self._access.cookie_header(request)] if in_address else [])]
        return json_reply(200, snapshot, headers)

    async def metrics(self, request: ApiRequest) -> ApiReply:
        """The counts since the start, in Prometheus' text form."""
        self._access.check_metrics(request)
        totals, gauges = dict(await self._snapshots.totals()), await self._snapshots.gauges()
        # Some milliseconds of text: on a thread, so that no request waits for it.
        body = await asyncio.to_thread(render, totals, gauges)
        return ApiReply(status=200, headers=[NO_STORE], body=body, content_type=CONTENT_TYPE)


def range_of(request: ApiRequest) -> str:
    """The range that the address names. Raises InvalidRequest."""
    name = parse_qs(request.query).get("range", [DEFAULT_RANGE])[0]
    if name not in RANGES:
        raise InvalidRequest(f"range must be one of {', '.join(RANGES)}", param="range")
    return name
