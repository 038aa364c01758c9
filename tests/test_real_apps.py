"""Apps as people have them, end to end: their code stays as it is but for the lines that the guides name."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.provider import LoopbackProvider
from tests.test_examples import TOML

CLIENT = """\
client = openai.OpenAI(
    api_key="-", base_url="http://turnout/v1", http_client=httpx.Client(transport=turnout.transport())
)
"""
ASYNC_CLIENT = CLIENT.replace("OpenAI(", "AsyncOpenAI(").replace("httpx.Client(", "httpx.AsyncClient(")

CHAT = """
import json
import openai
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()
client = openai.AsyncOpenAI()
history: dict[str, list[dict[str, str]]] = {}


class Turn(BaseModel):
    chat: str
    text: str


@app.post("/chat")
async def chat(turn: Turn):
    messages = history.setdefault(turn.chat, [{"role": "system", "content": "You are brief."}])
    messages.append({"role": "user", "content": turn.text})
    stream = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True, temperature=0.2)

    async def events():
        said = ""
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                said += chunk.choices[0].delta.content
                yield f"data: {json.dumps(chunk.choices[0].delta.content)}\\n\\n"
        messages.append({"role": "assistant", "content": said})
        yield "data: [DONE]\\n\\n"

    return StreamingResponse(events(), media_type="text/event-stream")
"""

RAG = """
import openai
from flask import Flask, jsonify, request

app = Flask(__name__)
client = openai.OpenAI()
DOCUMENTS = {
    "refunds": "Refunds are paid within 14 days.",
    "shipping": "Parcels leave the warehouse within two days.",
}


def retrieve(question, most=1):
    words = set(question.lower().split())
    ranked = sorted(DOCUMENTS, key=lambda name: -len(words & set(f"{name} {DOCUMENTS[name]}".lower().split())))
    return ranked[:most]


@app.post("/answer")
def answer():
    question = request.json["question"]
    sources = retrieve(question)
    context = "\\n".join(DOCUMENTS[name] for name in sources)
    reply = client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": f"Answer from this alone:\\n{context}"},
            {"role": "user", "content": question},
        ],
    )
    return jsonify(answer=reply.choices[0].message.content, sources=sources, tokens=reply.usage.total_tokens)


@app.errorhandler(openai.APIStatusError)
def unavailable(error):
    return jsonify(error="come back later"), error.status_code
"""

# What the guides say to change: a line of the app, and what stands in its place.
MOUNTED = {
    "chat": {
        "import openai\n": "import openai, httpx, turnout\nfrom turnout.asgi import TurnoutMiddleware\n",
        "app = FastAPI()\n": 'app = FastAPI()\napp.add_middleware(TurnoutMiddleware, config="turnout.toml")\n',
        "client = openai.AsyncOpenAI()\n": ASYNC_CLIENT,
    },
    "rag": {
        "import openai\n": "import openai, httpx, turnout\nfrom turnout.wsgi import TurnoutMiddleware\n",
        "app = Flask(__name__)\n": "app = Flask(__name__)\n"
        'app.wsgi_app = TurnoutMiddleware(app.wsgi_app, config="turnout.toml")\n',
        "client = openai.OpenAI()\n": CLIENT,
    },
}


@pytest.fixture
def folder(tmp_path: Path, provider: LoopbackProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app's own, with its settings, at a loopback provider."""
    (tmp_path / "turnout.toml").write_text(TOML.format(url=provider.base_url))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mounted(folder: Path, source: str, name: str) -> Any:
    """The app, its three lines changed and no other."""
    for line, instead in MOUNTED[name].items():
        assert source.count(line) == 1
        source = source.replace(line, instead)
    (folder / f"{name}.py").write_text(source)
    return runpy.run_path(str(folder / f"{name}.py"), run_name=name)["app"]


def test_a_chat_that_streams(folder: Path, provider: LoopbackProvider) -> None:
    """Two turns, word by word, the history in the second; an outage ends in a status, not in a broken stream."""
    with TestClient(mounted(folder, CHAT, "chat"), raise_server_exceptions=False) as client:
        for number, text in enumerate(("two and two?", "and two more?")):
            lines = client.post("/chat", json={"chat": "c", "text": text}).text.split("\n\n")
            assert lines[-2] == "data: [DONE]"
            assert "".join(json.loads(line[6:]) for line in lines[:-2]).strip() == "It is four."
            assert provider.calls.total() == number + 1
        provider.modes["small"] = provider.modes["large"] = "500"
        assert client.post("/chat", json={"chat": "d", "text": "three?"}).status_code >= 500


def test_a_flask_app_that_retrieves_before_it_asks(folder: Path, provider: LoopbackProvider) -> None:
    """Its answer, its sources and its tokens; its own handler of the SDK's errors meets Turnout's 503."""
    client = mounted(folder, RAG, "rag").test_client()
    answered = client.post("/answer", json={"question": "When are refunds paid?"})
    assert answered.json["answer"] == "It is four."
    assert answered.json["sources"] == ["refunds"]
    assert answered.json["tokens"] > 0
    provider.modes["small"] = provider.modes["large"] = "500"
    outage = client.post("/answer", json={"question": "When do parcels leave?"})
    assert (outage.status_code, outage.json) == (503, {"error": "come back later"})
