"""What `turnout serve` serves: Turnout's own endpoints, and nothing behind them."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from turnout.asgi import TurnoutMiddleware

# How the settings file's path reaches the worker processes.
CONFIG_VARIABLE = "TURNOUT_SERVE_CONFIG"


def create_app() -> Starlette:
    """The ASGI app, with the settings of the file that the environment names. Raises SettingsError."""
    app = Starlette(exception_handlers={404: _not_found})
    app.add_middleware(TurnoutMiddleware, config=os.environ[CONFIG_VARIABLE])
    return app


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    message = f"nothing is served at {request.url.path}; Turnout's own endpoints begin with /v1/ and /turnout/"
    body = {"message": message, "type": "invalid_request_error", "code": "not_found", "param": None}
    return JSONResponse({"error": body}, 404)
