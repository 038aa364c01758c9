"""Sends signed messages: resolved once, sent to that very address, no redirect followed, tried again with a capped
back-off. Nothing waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from turnout.ports.runtime import Clock
from turnout.webhooks.address_check import Forbidden, checked_address, checked_url
from turnout.webhooks.signing import signed

log = logging.getLogger("turnout.webhooks")

# Seconds before each further try; Standard Webhooks' own schedule begins so.
RETRIES = (5.0, 30.0, 120.0)
TIMEOUT_S = 10.0
# Messages under way at once; more are dropped and logged.
MOST = 64
# The receiver wants no more of them.
GONE = 410

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(one[4][0]) for one in found]


class Sender:
    """Sends to one URL. key: the signing key."""

    def __init__(
        self, *, url: str, key: bytes, allow_hosts: Sequence[str], clock: Clock, resolve: Resolve = resolved
    ) -> None:
        self._url = url
        self._key = key
        self._allow = tuple(allow_hosts)
        self._clock = clock
        self._resolve = resolve
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Begins to send this message and returns at once."""
        if len(self._sending) >= MOST:
            log.warning("too many webhooks are under way: one was dropped")
            return
        task = asyncio.create_task(self._send(f"msg_{secrets.token_hex(12)}", message), name="turnout.webhook")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, message_id: str, message: Mapping[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        for wait in (*RETRIES, None):
            try:
                status = await self._post(message_id, body)
            except Forbidden as error:
                log.warning("webhook %s was not sent: %s", message_id, error)
                return
            if 200 <= status < 300 or status == GONE:
                return
            if wait is None:
                break
            await self._clock.sleep(wait)
        log.warning("webhook %s was not taken after %d tries", message_id, len(RETRIES) + 1)

    async def _post(self, message_id: str, body: bytes) -> int:
        """The status of one try; 0 where there was no answer."""
        # Imported here: importing turnout is light.
        import httpx

        parts = checked_url(self._url, self._allow)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = checked_address(host, await self._resolve(host, port), self._allow)
        pinned = httpx.URL(self._url).copy_with(host=address)
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            **signed(self._key, message_id, int(self._clock.time()), body),
        }
        try:
            # No proxy of the environment's: it would resolve the name again.
            async with httpx.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(pinned, content=body, headers=headers, extensions={"sni_hostname": host})
        except httpx.HTTPError as error:
            log.info("webhook %s: %s", message_id, error)
            return 0
        return answer.status_code

    async def close(self) -> None:
        """Ends what is still being tried, after a moment for what is nearly there."""
        if not self._sending:
            return
        await asyncio.wait(self._sending, timeout=1.0)
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
