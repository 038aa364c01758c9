"""The demo's app: Starlette with Turnout mounted in one line, served as a process of its own."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from turnout.asgi import TurnoutMiddleware
from turnout.demo.loopback_server import serve


async def ask(request: Request) -> JSONResponse:
    """An endpoint as an app has it."""
    answer = await request.state.turnout.complete(request.query_params["question"])
    outcome = answer.outcome
    return JSONResponse({"answer": answer.text, "tier": outcome.tier, "cost_usd": str(outcome.cost_usd)})


def create_app(config: Mapping[str, Any]) -> Starlette:
    """The app as its owner wrote it, and one line more."""
    app = Starlette(routes=[Route("/ask", ask)])
    app.add_middleware(TurnoutMiddleware, config=config)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Serves the app with the settings of a JSON file until standard input closes."""
    parser = argparse.ArgumentParser(prog="turnout.demo.app_server", description="The demo's app on loopback.")
    parser.add_argument("--config", type=Path, required=True, help="the settings, a JSON file")
    options = parser.parse_args(arguments)
    logging.getLogger("turnout").setLevel(logging.ERROR)
    serve(create_app(json.loads(options.config.read_text(encoding="utf-8"))), lifespan=True)


if __name__ == "__main__":
    main()
