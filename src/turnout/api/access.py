"""Who may read the status page and the metrics: whoever has the token, once in the address and then in a cookie; the
metrics also whoever asks from an allowed network."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qs

from turnout.api.exchange import ApiRequest
from turnout.errors import NotFound, SettingsError, Unauthorized
from turnout.settings import Settings

COOKIE = "turnout_status"
COOKIE_MAX_AGE_S = 30 * 86_400


class StatusAccess:
    """Checks requests against the token. `on`: whether there is one. Raises SettingsError where the settings name a
    variable that is not set."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        name = settings.status.token_env
        token = environ.get(name, "") if name else ""
        if name and not token:
            raise SettingsError(
                f'status.token_env = "{name}" names no environment variable that is set: set it to a long random text, '
                "or remove the line to switch the status page off"
            )
        self.on = bool(name)
        self._token = _digest(token)
        # Not the token itself: who reads the cookie cannot use it as a bearer token, and it ends with the token.
        self._cookie = hmac.digest(token.encode(), b"turnout status cookie", "sha256").hex()
        self._networks = tuple(ip_network(network) for network in settings.status.allow_networks)

    def check(self, request: ApiRequest) -> bool:
        """Raises NotFound where the page is off, Unauthorized without the token. Returns whether the token stood in
        the address, where it should not stay."""
        if not self.on:
            raise NotFound("the status page is off: [status] token_env names no token")
        if self.knows_token(request):
            return False
        if self._in_address(request):
            return True
        raise Unauthorized(
            "the status token is missing or wrong: send it as a bearer token, or once as ?token=",
            headers=(("www-authenticate", 'Bearer realm="turnout"'), ("cache-control", "no-store")),
        )

    def check_metrics(self, request: ApiRequest) -> None:
        """As `check`; a request from an allowed network needs no token."""
        if not (self.on and self._is_allowed(request.client)):
            self.check(request)

    def knows_token(self, request: ApiRequest) -> bool:
        """Whether the request carries the token, as a bearer token or by its cookie."""
        scheme, _, credentials = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(credentials.strip()):
            return True
        value = _cookie_of(request.header("cookie"))
        return self.on and hmac.compare_digest(value.encode(), self._cookie.encode())

    def cookie_header(self, request: ApiRequest) -> tuple[str, str]:
        """The header that keeps the page open to this browser, below the page's own path."""
        # Lax: a link to the page in a chat is followed from another site.
        secure = "; Secure" if request.secure else ""
        value = f"{COOKIE}={self._cookie}; Max-Age={COOKIE_MAX_AGE_S}; HttpOnly; SameSite=Lax{secure}"
        return "set-cookie", value

    def _in_address(self, request: ApiRequest) -> bool:
        return self._is_token(parse_qs(request.query).get("token", [""])[0])

    def _is_token(self, text: str) -> bool:
        return self.on and hmac.compare_digest(_digest(text), self._token)

    def _is_allowed(self, client: str) -> bool:
        if not self._networks:
            return False
        try:
            address = ip_address(client)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _cookie_of(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
