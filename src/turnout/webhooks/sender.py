"""Sends signed messages: the host is resolved once and that very address called, no redirect followed, failures retried
with a capped back-off. Nothing waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from turnout.ports.runtime import Clock
from turnout.webhooks.address_check import ForbiddenAddress, choose_address, parse_url
from turnout.webhooks.signing import signature_headers

log = logging.getLogger("turnout.webhooks")

# Before each retry; Standard Webhooks' own schedule begins so.
RETRY_DELAYS_S = (5.0, 30.0, 120.0)
TIMEOUT_S = 10.0
# Messages being sent at once; more are dropped and logged.
MAX_CONCURRENT = 64
# The status by which a receiver asks for no more messages.
GONE = 410

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    try:
        results = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(result[4][0]) for result in results]


class WebhookSender:
    """Sends to one URL. key: the signing key."""

    def __init__(
        self, *, url: str, key: bytes, allow_hosts: Sequence[str], clock: Clock, resolve: Resolve = resolve_host
    ) -> None:
        self._url = url
        self._key = key
        self._allow_hosts = tuple(allow_hosts)
        self._clock = clock
        self._resolve = resolve
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        """Starts sending this message and returns at once."""
        if len(self._sending) >= MAX_CONCURRENT:
            log.warning("too many webhooks are under way: one was dropped")
            return
        task = asyncio.create_task(self._send(f"msg_{secrets.token_hex(12)}", message), name="turnout.webhook")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, message_id: str, message: Mapping[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                status = await self._post(message_id, body)
            except ForbiddenAddress as error:
                log.warning("webhook %s was not sent: %s", message_id, error)
                return
            if 200 <= status < 300 or status == GONE:
                return
            if delay_s is None:
                break
            await self._clock.sleep(delay_s)
        log.warning("webhook %s was not taken after %d tries", message_id, len(RETRY_DELAYS_S) + 1)

    async def _post(self, message_id: str, body: bytes) -> int:
        """The HTTP status of one attempt; 0 where there was no response."""
        # Imported here: importing turnout is light.
        import httpx

        parts = parse_url(self._url, self._allow_hosts)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = choose_address(host, await self._resolve(host, port), self._allow_hosts)
        pinned = httpx.URL(self._url).copy_with(host=address)
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            **signature_headers(self._key, message_id, int(self._clock.time()), body),
        }
        try:
            # No proxy of the environment's: it would resolve the name again.
            async with httpx.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S, trust_env=False) as client:
                response = await client.post(pinned, content=body, headers=headers, extensions={"sni_hostname": host})
        except httpx.HTTPError as error:
            log.info("webhook %s: %s", message_id, error)
            return 0
        return response.status_code

    async def close(self) -> None:
        """Cancels the messages still being sent, after one second in which they may end by themselves."""
        if not self._sending:
            return
        await asyncio.wait(self._sending, timeout=1.0)
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
