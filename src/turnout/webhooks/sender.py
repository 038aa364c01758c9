"""Sends signed messages, failures retried with a capped back-off. Nothing waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turnout.ports.runtime import Clock
from turnout.webhooks.address_check import ForbiddenAddress
from turnout.webhooks.post import Resolve, SignedPost, resolve_host
from turnout.webhooks.signing import is_settled

log = logging.getLogger("turnout.webhooks")

# Before each retry; Standard Webhooks' own schedule begins so.
RETRY_DELAYS_S = (5.0, 30.0, 120.0)
# Messages being sent at once; more are dropped and logged.
MAX_CONCURRENT = 64


class WebhookSender:
    """Sends to one URL. key: the signing key."""

    def __init__(
        self, *, url: str, key: bytes, allow_hosts: Sequence[str], clock: Clock, resolve: Resolve = resolve_host
    ) -> None:
        self._url = url
        self._clock = clock
        self._post = SignedPost(key=key, allow_hosts=allow_hosts, clock=clock, resolve=resolve)
        self._sending: set[asyncio.Task[None]] = set()
        # Called with the reason where a message is given up.
        self.on_undelivered: Callable[[str], None] = _ignore

    def send(self, message: Mapping[str, Any]) -> None:
        """Starts sending this message and returns at once."""
        if len(self._sending) >= MAX_CONCURRENT:
            log.warning("too many webhooks are under way: one was dropped")
            self.on_undelivered("too many were under way")
            return
        task = asyncio.create_task(self._send(f"msg_{secrets.token_hex(12)}", message), name="turnout.webhook")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, message_id: str, message: Mapping[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                status = await self._post(self._url, message_id, body)
            except ForbiddenAddress as error:
                log.warning("webhook %s was not sent: %s", message_id, error)
                self.on_undelivered(str(error))
                return
            if is_settled(status):
                return
            if delay_s is None:
                break
            await self._clock.sleep(delay_s)
        log.warning("webhook %s was not taken after %d tries", message_id, len(RETRY_DELAYS_S) + 1)
        self.on_undelivered(f"answered {status}" if status else "no answer")

    async def post_once(self, message_id: str, body: bytes) -> int:
        """The HTTP status of one try, not repeated; 0 where there was no response. Raises ForbiddenAddress."""
        return await self._post(self._url, message_id, body)

    async def close(self) -> None:
        """Cancels the messages still being sent, after one second in which they may end by themselves."""
        if not self._sending:
            return
        await asyncio.wait(self._sending, timeout=1.0)
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)


def _ignore(why: str) -> None:
    return None
