"""`GET /turnout/health/live` and `/ready`: up or not, without a token, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from turnout.api.exchange import ApiReply, ApiRequest, json_reply

HEADERS = [("cache-control", "no-store")]


class Health:
    """is_ready: whether nothing slow is left for a request to wait for. warnings: each gives what a person should know
    that keeps no request from its answer; "" for nothing."""

    def __init__(self, is_ready: Callable[[], bool], warnings: Sequence[Callable[[], Awaitable[str]]] = ()) -> None:
        self._is_ready = is_ready
        self._warnings = warnings

    async def live(self, request: ApiRequest) -> ApiReply:
        """200: this process answers."""
        return json_reply(200, {"status": "up"}, HEADERS)

    async def ready(self, request: ApiRequest) -> ApiReply:
        """200 where requests are answered at once; 503 while the process still loads."""
        ready = self._is_ready()
        body = {"status": "up" if ready else "down"}
        if found := [warning for give in self._warnings if (warning := await give())]:
            body["warning"] = "; ".join(found)
        return json_reply(200 if ready else 503, body, HEADERS)
