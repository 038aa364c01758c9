"""One warm HTTP session a loop: keep-alive, a bounded pool, the environment's proxies, litellm's own CA bundle."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import urllib.request
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from turnout.attempt_errors import (
    AttemptTimeout,
    ConnectionFailed,
    MalformedReply,
    Misconfigured,
    NotConnected,
)
from turnout.ports.runtime import CallProgress
from turnout.telemetry.trace_context import outgoing_headers

if TYPE_CHECKING:
    import aiohttp

# Providers' load balancers keep idle connections for 60 s and more.
KEEP_ALIVE_S = 55.0
# Kept connections in a row that a provider may have closed before one of its own making is at fault.
MAX_STALE = 3
_AGENT = f"turnout/{importlib.metadata.version('turnout')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. whole_s: the time for all of it; read_s: for each read. Seconds, None: not bounded here.
    progress: is notified when the request goes out."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    connect_s: float
    whole_s: float | None = None
    read_s: float | None = None
    progress: CallProgress = field(default_factory=CallProgress)


class HttpSessions:
    """Sends requests. limit: how many connections a loop keeps open at most; tls: gives the SSL context once needed."""

    def __init__(self, *, limit: int, tls: Callable[[], Any], environ: Mapping[str, str] | None = None) -> None:
        self._limit = limit
        self._tls = tls
        self._environ = os.environ if environ is None else environ
        self._sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = (
            weakref.WeakKeyDictionary()
        )
        self._proxies: dict[str, str | None] = {}

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The response, its body unread. Leaving the block gives the connection back, or closes it where the body
        was not read to its end. Raises AttemptError; what reading the body raises is translated too."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=request.whole_s, sock_connect=request.connect_s, sock_read=request.read_s)
        try:
            async with await self._response(request, timeout) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected(_text(error)) from error
        except TimeoutError as error:
            raise AttemptTimeout("the provider took too long") from error
        except aiohttp.ClientPayloadError as error:
            raise ConnectionFailed(f"the answer ended before its end: {_text(error)}") from error
        except aiohttp.InvalidURL as error:
            raise Misconfigured(f"the address is no URL: {_text(error)}") from error
        except aiohttp.ClientResponseError as error:
            raise MalformedReply(f"the answer is no HTTP: {_text(error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(_text(error)) from error

    async def _response(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The beginning of the answer. A kept connection that the provider closed meanwhile is no fault of this call,
        nor of the provider: the request goes out anew over another one."""
        import aiohttp

        for stale in range(MAX_STALE + 1):
            sending = _Sending(request.progress)
            try:
                return await self._session().post(
                    request.url,
                    data=request.body,
                    headers={**request.headers, **outgoing_headers()},
                    timeout=timeout,
                    proxy=self._proxy(request.url),
                    trace_request_ctx=sending,
                    # Keys and prompts go where the settings say, and nowhere that an answer says.
                    allow_redirects=False,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not sending.reused or stale == MAX_STALE:
                    raise
        raise AssertionError("the last round returns or raises")

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = self._open()
        return session

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=KEEP_ALIVE_S, ssl=self._tls())
        # Not trust_env: it would also read a .netrc and send what stands there in place of the key.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _AGENT},
            trace_configs=[_noting_what_goes_out()],
        )

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._proxies:
            self._proxies[origin] = proxy_of(parts.scheme, parts.netloc, self._environ)
        return self._proxies[origin]

    async def close(self) -> None:
        """Closes this loop's connections, and no other loop's: those are in use."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()


@dataclass(slots=True)
class _Sending:
    """One try to send a request. reused: over a connection that was kept from an earlier one."""

    progress: CallProgress
    reused: bool = False


def _noting_what_goes_out() -> aiohttp.TraceConfig:
    """Notes that a request is sent, right before its first byte, and whether its connection was kept."""
    import aiohttp

    async def sent(_: Any, trace: Any, __: Any) -> None:
        trace.trace_request_ctx.progress.sent = True

    async def reused(_: Any, trace: Any, __: Any) -> None:
        trace.trace_request_ctx.reused = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(sent)
    config.on_connection_reuseconn.append(reused)
    return config


def proxy_of(scheme: str, netloc: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for this place (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), or None."""
    named = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy") and value}
    proxies = {name.removesuffix("_proxy"): value for name, value in named.items()}
    if urllib.request.proxy_bypass_environment(netloc, proxies):  # type: ignore[attr-defined]
        return None
    return proxies.get(scheme) or proxies.get("all")


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:500]
