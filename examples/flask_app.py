"""A Flask app before and after.

Before:

    client = openai.OpenAI()

    @app.get("/ask")
    def ask():
        answer = client.chat.completions.create(model="gpt-4o", messages=[...question...])
        return {"answer": answer.choices[0].message.content}

After: one line mounts Turnout; the handler asks it.

    gunicorn --workers 2 --threads 4 examples.flask_app:app
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from flask import Flask, Response, request

from turnout.errors import ServedError
from turnout.wsgi import TurnoutMiddleware

app = Flask(__name__)
app.wsgi_app = TurnoutMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml")
)


@app.get("/ask")
def ask() -> dict[str, str]:
    """A whole answer, and who gave it."""
    answer = request.environ["turnout"].complete(request.args["question"])
    return {"answer": answer.text, "tier": answer.outcome.tier, "cost_usd": str(answer.outcome.cost_usd)}


@app.get("/tell")
def tell() -> Response:
    """The answer word by word."""
    stream = request.environ["turnout"].stream(request.args["question"])

    def words() -> Iterator[str]:
        with stream:
            for chunk in stream:
                yield chunk.text

    return Response(words(), mimetype="text/plain")


@app.errorhandler(ServedError)
def served_error(error: ServedError) -> tuple[dict[str, object], int, dict[str, str]]:
    """What could not be answered, with its status and when to come back."""
    return error.to_openai(), error.told_status, dict(error.told_headers)
