"""The demo's app: FastAPI with Turnout mounted in one line, served as a process of its own."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request

from turnout.asgi import TurnoutMiddleware
from turnout.demo.announcing import serve


def app_of(config: Mapping[str, Any]) -> FastAPI:
    """The app as its owner wrote it, and one line more."""
    app = FastAPI(title="turnout demo")

    @app.get("/ask")
    async def ask(question: str, request: Request) -> dict[str, Any]:
        answer = await request.state.turnout.complete(question)
        return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}

    app.add_middleware(TurnoutMiddleware, config=config)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Serves the app of a settings file in JSON until standard input closes."""
    options = argparse.ArgumentParser(prog="turnout.demo.serving", description="The demo's app on loopback.")
    options.add_argument("--config", required=True, help="the settings, a JSON file")
    chosen = options.parse_args(arguments)
    logging.getLogger("turnout").setLevel(logging.ERROR)
    with open(chosen.config, encoding="utf-8") as file:
        serve(app_of(json.load(file)), lifespan=True)


if __name__ == "__main__":
    main()
