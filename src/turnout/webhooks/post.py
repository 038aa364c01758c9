"""Posts one signed message: the host is resolved once and that very address called, no redirect followed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from turnout.ports.runtime import Clock
from turnout.webhooks.address_check import choose_address, parse_url
from turnout.webhooks.signing import signature_headers

log = logging.getLogger("turnout.webhooks")

TIMEOUT_S = 10.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    try:
        results = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(result[4][0]) for result in results]


class SignedPost:
    """Posts to allowed addresses. key: the signing key."""

    def __init__(
        self, *, key: bytes, allow_hosts: Sequence[str], clock: Clock, resolve: Resolve = resolve_host
    ) -> None:
        self._key = key
        self._allow_hosts = tuple(allow_hosts)
        self._clock = clock
        self._resolve = resolve

    async def __call__(self, url: str, message_id: str, body: bytes, more: Mapping[str, str] | None = None) -> int:
        """The HTTP status of one try; 0 where there was no response. more: headers beside ours. Raises
        ForbiddenAddress."""
        # Imported here: importing turnout is light.
        import httpx

        parts = parse_url(url, self._allow_hosts)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = choose_address(host, await self._resolve(host, port), self._allow_hosts)
        pinned = httpx.URL(url).copy_with(host=address)
        headers = {
            **(more or {}),
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
