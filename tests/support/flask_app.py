"""The WSGI app of the doors' tests: routes of its own, and Turnout in one line.

gunicorn imports it by name: its settings come from the environment, as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request

from tests.support.scorers import hard_or_easy
from turnout.assembly import Turnout
from turnout.wsgi import TurnoutMiddleware


def mounted(config: dict[str, Any]) -> TurnoutMiddleware:
    """The app, Turnout around it."""
    app = Flask(__name__)

    @app.get("/ask/<topic>")
    def ask(topic: str) -> dict[str, Any]:
        answer = request.environ["turnout"].complete(topic)
        return {"text": answer.text, "user": answer.outcome.user, "endpoint": answer.outcome.endpoint}

    @app.get("/decide")
    def decide() -> dict[str, Any]:
        return {"tier": request.environ["turnout"].decide("a hard one").tier}

    @app.get("/words")
    def words() -> Response:
        turnout = request.environ["turnout"]

        def told() -> Iterator[str]:
            with turnout.stream("x") as chunks:
                for chunk in chunks:
                    yield chunk.text

        return Response(told(), mimetype="text/plain")

    @app.get("/pid")
    def pid() -> dict[str, int]:
        return {"pid": os.getpid()}

    return TurnoutMiddleware(app, turnout=Turnout(config, scorer=hard_or_easy()))


def create() -> TurnoutMiddleware:
    """For `gunicorn "tests.support.flask_app:create()"`."""
    return mounted(json.loads(os.environ["TURNOUT_TEST_CONFIG"]))
