"""Where a webhook may go: a public address, or a host that the settings allow. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit


class Forbidden(ValueError):
    """The URL may not be called. The message says why."""


def checked_url(url: str, allow_hosts: Sequence[str]) -> SplitResult:
    """The URL taken apart. Raises Forbidden. Plain http is for allowed hosts alone."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise Forbidden("must be an http or https URL with a host and no credentials")
    if parts.scheme == "http" and parts.hostname not in allow_hosts:
        raise Forbidden(f"must be https, or {parts.hostname} must stand in webhooks.allow_hosts")
    return parts


def checked_address(host: str, addresses: Sequence[str], allow_hosts: Sequence[str]) -> str:
    """The address to call, of those that the host resolves to. Raises Forbidden where any is not public: an
    attacker's name may resolve to both."""
    if not addresses:
        raise Forbidden(f"{host} does not resolve")
    if host not in allow_hosts:
        for address in addresses:
            found = ipaddress.ip_address(address)
            mapped = getattr(found, "ipv4_mapped", None)
            if not (mapped or found).is_global or found.is_multicast:
                raise Forbidden(f"{host} resolves to {address}, which is not a public address")
    return addresses[0]
