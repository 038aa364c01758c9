"""Posts one signed message: the host is resolved once and that very address called, no redirect followed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from turnout.ports.runtime import Clock
from turnout.webhooks.address_check import ForbiddenAddress, choose_address, parse_url
from turnout.webhooks.signing import signature_headers

log = logging.getLogger("turnout.webhooks")

# Of one try, its name looked up and its status read.
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
    """Posts to allowed addresses. key: the signing key. timeout_s: of one try."""

    def __init__(
        self,
        *,
        key: bytes,
        allow_hosts: Sequence[str],
        clock: Clock,
        resolve: Resolve = resolve_host,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._key = key
        self._allow_hosts = tuple(allow_hosts)
        self._clock = clock
        self._resolve = resolve
        self._timeout_s = timeout_s

    async def __call__(self, url: str, message_id: str, body: bytes, more: Mapping[str, str] | None = None) -> int:
        """The HTTP status of one try; 0 where there was no response. more: headers beside ours. Raises
        ForbiddenAddress."""
        # Imported here: importing turnout is light.
        import httpx

        try:
            # Around all of it: httpx's own begins anew with each byte that a receiver sends.
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, message_id, body, more or {})
        except ForbiddenAddress:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            log.info("webhook %s: %s", message_id, error or type(error).__name__)
            return 0

    async def _post(self, url: str, message_id: str, body: bytes, more: Mapping[str, str]) -> int:
        import httpx

        parts = parse_url(url, self._allow_hosts)
        host = parts.hostname or ""
        addresses = await self._resolve(host, parts.port or (443 if parts.scheme == "https" else 80))
        if not addresses:
            # A resolver that fails for a moment looks the same.
            log.info("webhook %s: %s does not resolve", message_id, host)
            return 0
        pinned = httpx.URL(url).copy_with(host=choose_address(host, addresses, self._allow_hosts))
        headers = {
            **more,
            "host": parts.netloc,
            "content-type": "application/json",
            **signature_headers(self._key, message_id, int(self._clock.time()), body),
        }
        # No proxy of the environment's: it would resolve the name again.
        async with (
            httpx.AsyncClient(follow_redirects=False, timeout=self._timeout_s, trust_env=False) as client,
            client.stream("POST", pinned, content=body, headers=headers, extensions={"sni_hostname": host}) as response,
        ):
            # Its body is nobody's business, and may have no end.
            return response.status_code
