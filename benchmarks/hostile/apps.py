"""The app under attack, by ASGI (Starlette) and by WSGI (Flask): Turnout mounted in one line, its settings in the
environment, and two paths of the app's own that tell what the benchmark wants to know.

`/loop` is the longest stop of the loop that Turnout runs on since it was last asked, in seconds; `/ledger` what each
user's budget and the total hold, in nano-USD.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

from turnout import Turnout
from turnout.context import user_key
from turnout.portal import portal_loop
from turnout.ports.admission import Settlement
from turnout.quota.policies import Policies

BEAT_S = 0.01


class Heartbeat:
    """Sleeps for 10 ms again and again, and keeps how much longer one of them took."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """On the running loop, once."""
        self._task = self._task or asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            await asyncio.sleep(BEAT_S)
            self._longest_s = max(self._longest_s, loop.time() - since - BEAT_S)

    def take(self) -> float:
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s


async def ledger(turnout: Turnout, users: Sequence[str]) -> dict[str, Any]:
    """Spent and reserved by user (and "total"), in nano-USD."""
    policies = Policies(turnout.settings)
    keys = {**{user: user_key(user) for user in users}, "total": "total"}
    entries = {}
    for name, key in keys.items():
        claims = policies.of_key(key, turnout.clock.time())
        (state,) = await turnout._stores.gate.leave(Settlement(key=None, lease="", budgets=claims))
        entries[name] = {"spent": state.spent, "reserved": state.reserved}
    return entries


def _turnout() -> Turnout:
    return Turnout(json.loads(os.environ["NEIGHBOUR_CONFIG"]))


def asgi() -> Any:
    """For `uvicorn --factory hostile.apps:asgi`."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    from turnout.asgi import TurnoutMiddleware
    from turnout.errors import ServedError

    turnout, heartbeat = _turnout(), Heartbeat()

    async def loop(_: Request) -> JSONResponse:
        heartbeat.start()
        return JSONResponse(heartbeat.take())

    async def accounts(request: Request) -> JSONResponse:
        return JSONResponse(await ledger(turnout, request.query_params.getlist("user")))

    async def item(request: Request) -> PlainTextResponse:
        try:
            answer = await request.state.turnout.complete(f"label:{request.query_params.get('q', '')}")
        except ServedError as error:
            return PlainTextResponse(error.told_code, error.told_status)
        return PlainTextResponse(answer.text)

    app = Starlette(routes=[Route("/loop", loop), Route("/ledger", accounts), Route("/item/{name:path}", item)])
    app.add_middleware(TurnoutMiddleware, turnout=turnout)
    return app


def wsgi() -> Any:
    """For `gunicorn "hostile.apps:wsgi()"`."""
    from flask import Flask, request

    from turnout.errors import ServedError
    from turnout.wsgi import TurnoutMiddleware

    turnout, heartbeat = _turnout(), Heartbeat()
    app = Flask(__name__)

    @app.get("/loop")
    def loop() -> str:
        portal_loop().call_soon_threadsafe(heartbeat.start)
        return json.dumps(heartbeat.take())

    @app.get("/ledger")
    def accounts() -> Any:
        work = ledger(turnout, request.args.getlist("user"))
        return asyncio.run_coroutine_threadsafe(work, portal_loop()).result(10)

    @app.get("/item/<path:name>")
    def item(name: str) -> Any:
        try:
            return request.environ["turnout"].complete(f"label:{request.args.get('q', '')}").text
        except ServedError as error:
            return error.told_code, error.told_status

    app.wsgi_app = TurnoutMiddleware(app.wsgi_app, turnout=turnout)  # type: ignore[method-assign]
    return app
