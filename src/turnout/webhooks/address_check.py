"""Checks where a webhook may be sent: to a public address, or to a host that the settings allow. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

# No receiver's address is longer.
_LONGEST_URL = 4096


class ForbiddenAddress(ValueError):
    """A URL or an address that may not be called. The message says why."""


def parse_url(url: str, allow_hosts: Sequence[str]) -> SplitResult:
    """The parts of an allowed URL. Raises ForbiddenAddress. Plain http is for allowed hosts alone."""
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        # `urlsplit` drops line ends and blanks before it; who sends the message does not, and would never be done.
        raise ForbiddenAddress(f"must have at most {_LONGEST_URL} characters, and no blanks or control characters")
    try:
        parts = urlsplit(url)
        # Raises where it is no number.
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress(f"is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or port == 0:
        raise ForbiddenAddress("must be an http or https URL with a host, no credentials and no port 0")
    if parts.scheme == "http" and parts.hostname not in allow_hosts:
        raise ForbiddenAddress(f"must be https, or {parts.hostname} must stand in webhooks.allow_hosts")
    return parts


def check_listed(url: str, allow_hosts: Sequence[str]) -> None:
    """Raises ForbiddenAddress unless a caller may have this URL called: its host must stand in the list."""
    host = parse_url(url, allow_hosts).hostname
    if host not in allow_hosts:
        raise ForbiddenAddress(f"{host} must stand in webhooks.allow_hosts")


def choose_address(host: str, addresses: Sequence[str], allow_hosts: Sequence[str]) -> str:
    """The address to call, of those that the host resolves to (one at least). Raises ForbiddenAddress where any is not
    public: an attacker's name may resolve to both. An allowed name may be a private network's, but of this host itself
    or of its link, where clouds keep their credentials, only with the address in the list too: whoever answers for the
    name may answer anything."""
    for address in addresses:
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if address in allow_hosts or (host in allow_hosts and host == "localhost" and ip.is_loopback):
            continue
        if host not in allow_hosts and (not ip.is_global or ip.is_multicast):
            raise ForbiddenAddress(f"{host} resolves to {address}, which is not a public address")
        if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
            raise ForbiddenAddress(f"{host} resolves to {address}, which must stand in webhooks.allow_hosts itself")
    return addresses[0]
