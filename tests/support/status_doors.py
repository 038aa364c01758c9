"""One Turnout behind either door, asked without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from turnout import Turnout, portal
from turnout.asgi import TurnoutMiddleware as Asgi
from turnout.ports.scoring import Scorer
from turnout.testing import FixedScorer, ScriptedProvider
from turnout.wsgi import TurnoutMiddleware as Wsgi

TOKEN = "a long random text"
BEARER = {"authorization": f"Bearer {TOKEN}"}
DOORS = ("asgi", "wsgi")
BARE: dict[str, Any] = {
    "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
    "models": {
        "openai/small": {"input_usd_per_million": 1, "output_usd_per_million": 2},
        "openai/large": {"input_usd_per_million": 10, "output_usd_per_million": 20},
    },
    "routing": {"threshold": 0.5},
    "identity": {"user_header": "x-user-id"},
}
STATUS = {"status": {"token_env": "TURNOUT_STATUS_TOKEN"}}
CONFIG: dict[str, Any] = {**BARE, **STATUS, "retry": {"attempts": 1, "base_s": 0.001, "cap_s": 0.01}}

Ask = Callable[..., httpx.Response]


async def _bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"the app's"})


def _bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("418 I'm a Teapot", [("content-type", "text/plain")])
    return [b"the app's"]


class Behind:
    """A Turnout behind one door. `ask(method, path, **httpx arguments)` gives the response; `ann` is who asks unless
    the headers say otherwise."""

    def __init__(
        self, door: str, provider: ScriptedProvider | None = None, scorer: Scorer | None = None, **sections: Any
    ) -> None:
        self.provider = provider or ScriptedProvider({"*": ["four"]})
        scorer = scorer or FixedScorer(0.1, scores={"hard": 0.9})
        # Half: no chance of a cascade's own falls there.
        self.turnout = Turnout({**CONFIG, **sections}, provider=self.provider, scorer=scorer, chance=lambda: 0.5)
        self._door = door
        self._asgi = Asgi(_bare_asgi, turnout=self.turnout)
        self._wsgi = Wsgi(_bare_wsgi, turnout=self.turnout)
        self._loop = asyncio.Runner()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"x-user-id": "ann", **more.pop("headers", {})}
        client = more.pop("client", "127.0.0.1")
        if self._door == "wsgi":
            transport = httpx.WSGITransport(app=self._wsgi, remote_addr=client)
            with httpx.Client(transport=transport, base_url="http://app") as http:
                return http.request(method, path, headers=headers, **more)

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._asgi, client=(client, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
                return await http.request(method, path, headers=headers, **more)

        return self._loop.run(asked())

    def chat(self, text: str, *, user: str = "ann", **more: Any) -> httpx.Response:
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
        return self.ask("POST", "/v1/chat/completions", json=body, headers={"x-user-id": user})

    def status(self, range_: str = "1h") -> dict[str, Any]:
        reply = self.ask("GET", f"/turnout/status.json?range={range_}", headers=BEARER)
        assert reply.status_code == 200, reply.text
        figures: dict[str, Any] = reply.json()
        return figures

    def close(self) -> None:
        if self._door == "asgi":
            self._loop.run(self.turnout.aclose())
        else:
            portal.run(portal.portal_loop(), self.turnout.aclose)
        self._loop.close()
