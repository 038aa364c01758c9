"""The demo's app: FastAPI with Turnout mounted in one line, served as a process of its own."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request

from turnout.asgi import TurnoutMiddleware
from turnout.demo.loopback_server import serve


def create_app(config: Mapping[str, Any]) -> FastAPI:
    """The app as its owner wrote it, and one line more."""
    app = FastAPI(title="turnout demo")

    @app.get("/ask")
    async def ask(question: str, request: Request) -> dict[str, Any]:
        answer = await request.state.turnout.complete(question)
        return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}

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
