"""The tutorial, done as it says: in an empty folder, without a home, against a loopback provider that can do sums."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from pathlib import Path
from typing import Any

import httpx
import pytest

TUTORIAL = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"```(python|toml|sh)\n(.*?)```", TUTORIAL, re.S)
SERVE = "uvicorn app:app\n"


class Sums(BaseHTTPRequestHandler):
    """gpt-4o multiplies whatever it is given, gpt-4o-mini numbers of one digit."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        numbers = [int(each) for each in re.findall(r"\d+", asked["messages"][-1]["content"])]
        knows = asked["model"] == "gpt-4o" or max(numbers, default=0) < 10
        message = {"role": "assistant", "content": str(prod(numbers)) if knows else "a lot"}
        body = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        }
        sent = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def provider() -> Iterator[str]:
    """The base URL of the provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sums)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


class Reader:
    """Does what the tutorial says, block by block. The provider's address is all that it adds to the settings; what it
    asks for by the minute it asks for by the second."""

    def __init__(self, folder: Path, provider: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.environ = {**os.environ, "HOME": str(folder / "home"), "OPENAI_API_KEY": "sk-none"}
        self.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ["PYTHONPATH"] = os.pathsep.join(sys.path[1:])
        self.models = "".join(
            f'[models."openai/{name}"]\nparams = {{ api_base = "{provider}" }}\n' for name in ("gpt-4o-mini", "gpt-4o")
        )

    def save(self, block: str) -> None:
        """Writes a program where its first line says."""
        (self.folder / block.split("\n")[0].removeprefix("# ")).write_text(self._here(block))

    def set(self, block: str) -> None:
        """Changes the settings as the block's first line says."""
        file = self.folder / "turnout.toml"
        text = file.read_text()
        if "in place of its [routing]" in block:
            file.write_text(re.sub(r"\[routing\]\n.*?(?=\n\[)", lambda _: block, text, flags=re.S))
        else:
            file.write_text(text + "\n" + block + self.models)

    def run(self, block: str) -> str:
        """Runs a block of commands; the next block has what it exports."""
        lines = [line for line in block.splitlines() if not line.startswith(("pip install", "export OPENAI_API_KEY"))]
        for name, value in re.findall(r"^export (\w+)=(\S+)$", "\n".join(lines), re.M):
            self.environ[name] = value
        script = "set -e\n" + self._here("\n".join(lines))
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout

    def _here(self, text: str) -> str:
        here = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        return here.replace("--rate 600/minute", "--rate 600/second")

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """The app, as the tutorial starts it."""
        command = [sys.executable, "-m", *SERVE.split(), "--port", self.port]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environ)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
                until = time.monotonic() + 120
                while time.monotonic() < until and process.poll() is None:
                    try:
                        if client.get("/turnout/health/ready").status_code == 200:
                            break
                    except httpx.TransportError:
                        time.sleep(0.2)
                yield client
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.skipif(shutil.which("curl") is None and os.environ.get("CI") != "true", reason="no curl on this machine")
def test_the_tutorial_ends_with_a_trained_watched_router(tmp_path: Path, provider: str) -> None:
    """Every block in order; at the end easy sums go to the cheap model and hard ones to the expensive one."""
    reader = Reader(tmp_path, provider)
    told: list[str] = []
    at = BLOCKS.index(("sh", SERVE))
    for kind, block in BLOCKS[:at]:
        {"python": reader.save, "toml": reader.set, "sh": lambda block: told.append(reader.run(block))}[kind](block)
    assert "app.add_middleware" in told[0]
    with reader.serving() as client:
        for kind, block in BLOCKS[at + 1 :]:
            {"python": reader.save, "toml": reader.set, "sh": lambda block: told.append(reader.run(block))}[kind](block)
        figures = client.get("/turnout/status.json", headers={"authorization": "Bearer a-long-random-text"}).json()
        assert figures["requests"] >= 100
    assert told[2].startswith('{"answer":"42"}')
    assert "x-turnout-tier: cheap" in told[2]
    assert "x-turnout-reason: default_scorer" in told[2]
    assert (tmp_path / "sums.html").exists()
    with reader.serving() as client:
        easy = [_tier(client, f"What is {a} times {9 - a}?") for a in range(2, 8)]
        hard = [_tier(client, f"Multiply {a} by {1000 - a}, and give the product alone.") for a in range(107, 900, 97)]
    # A hundred rows make no perfect scorer.
    assert easy.count("cheap") >= 5
    assert hard.count("expensive") >= 7


def _tier(client: httpx.Client, question: str) -> str:
    """Where the trained scorer sent it."""
    body = {"model": "auto", "messages": [{"role": "user", "content": question}]}
    headers = client.post("/v1/chat/completions", json=body).headers
    assert headers["x-turnout-reason"] == "scored"
    return headers["x-turnout-tier"]
