"""The WSGI app of the doors' tests: routes of its own, and Turnout in one line.

gunicorn imports it by name: its settings come from the environment, as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
from flask import Flask, Response, request

import openai
import turnout
from tests.support.scorers import hard_or_easy
from turnout import Turnout
from turnout.wsgi import TurnoutMiddleware

ASK: Any = [{"role": "user", "content": "by the sdk"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]


def mounted(config: dict[str, Any]) -> TurnoutMiddleware:
    """The app, Turnout around it."""
    app = Flask(__name__)
    client = openai.OpenAI(
        api_key="-", base_url="http://turnout/v1", http_client=httpx.Client(transport=turnout.transport())
    )

    @app.get("/ask/<topic>")
    def ask(topic: str) -> dict[str, Any]:
        answer = request.environ["turnout"].complete(topic)
        return {"text": answer.text, "user": answer.outcome.user, "endpoint": answer.outcome.endpoint}

    @app.get("/decide")
    def decide() -> dict[str, Any]:
        return {"tier": request.environ["turnout"].decide("a hard one").tier}

    @app.get("/words")
    def words() -> Response:
        stream = request.environ["turnout"].stream

        def pieces() -> Iterator[str]:
            with stream("x") as chunks:
                for chunk in chunks:
                    yield chunk.text

        return Response(pieces(), mimetype="text/plain")

    @app.get("/sdk")
    def sdk() -> dict[str, Any]:
        chunks = client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK, tools=TOOLS)
        called = raw.parse().choices[0].message.tool_calls
        return {"streamed": streamed.strip(), "called": called[0].function.name if called else None}

    @app.post("/own/<topic>")
    def own(topic: str) -> dict[str, Any]:
        decision = request.environ["turnout"].decision
        if request.args.get("call"):
            request.environ["turnout"].complete(topic)
        return {"tier": decision.tier if decision else None, "body": request.get_data().decode()}

    @app.get("/pid")
    def pid() -> dict[str, int]:
        return {"pid": os.getpid()}

    return TurnoutMiddleware(app, turnout=Turnout(config, scorer=hard_or_easy()))


def create() -> TurnoutMiddleware:
    """For `gunicorn "tests.support.flask_app:create()"`."""
    return mounted(json.loads(os.environ["TURNOUT_TEST_CONFIG"]))
