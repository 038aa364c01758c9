"""Does a gunicorn that recycles its workers lose or hang a request at the WSGI door, and do its workers end?

A Flask app with Turnout mounted under gunicorn, 2 workers x 4 threads, each worker replaced after 100 to 120
requests, against one loopback provider. 8 clients ask until all requests are answered, each over a connection of
its own: a quarter streamed, a quarter by a handler of the app's, the rest whole. Lost: an error instead of an
answer. Hung: no answer within 30 s. Then gunicorn is told to end (SIGTERM); the figure is the time until its
last process is gone. The same app without Turnout (a constant answer) stands beside it as the yardstick of what
gunicorn itself does.

Caveat: one machine, loopback, a provider that answers at once.

    python benchmarks/prefork.py [--requests 1000]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

RESULTS = Path(__file__).parent / "results"
CLIENTS = 8
HUNG_S = 30.0
CHAT = "/v1/chat/completions"


def create() -> Any:
    """For gunicorn: the app, with Turnout where the settings are given."""
    from flask import Flask, Response, request

    app = Flask(__name__)
    config = json.loads(os.environ["BENCH_CONFIG"])

    @app.get("/ask")
    def ask() -> dict[str, str]:
        if config is None:
            return {"answer": "word"}
        return {"answer": request.environ["turnout"].complete(request.args["question"]).text}

    @app.post(CHAT)
    def constant() -> Response:
        request.get_data()
        return Response('{"choices": []}', mimetype="application/json")

    if config is not None:
        from turnout.wsgi import TurnoutMiddleware

        app.wsgi_app = TurnoutMiddleware(app.wsgi_app, config)  # type: ignore[method-assign]
    return app


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return None

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        frame = {"id": "1", "created": 1, "model": asked["model"]}
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        told = {"role": "assistant", "content": "word"}
        if not asked.get("stream"):
            choice: dict[str, Any] = {"index": 0, "message": told, "finish_reason": "stop"}
            body = json.dumps({**frame, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
            return self._send(body, "application/json")
        chunk = {**frame, "object": "chat.completion.chunk"}
        choices = [
            {"index": 0, "delta": told, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ]
        chunks: list[dict[str, Any]] = [{**chunk, "choices": [choice]} for choice in choices]
        chunks.append({**chunk, "choices": [], "usage": usage})
        events = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n"
        return self._send(events.encode(), "text/event-stream")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def settings(provider: str) -> dict[str, Any]:
    called = {"params": {"api_base": provider}, "input_usd_per_million": 1, "output_usd_per_million": 2}
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {"openai/small": called, "openai/large": called},
        "routing": {"threshold": 0.5},
    }


def _ask(url: str, number: int, bare: bool) -> str:
    """One request: "ok", or what went wrong."""
    body = {"model": "auto", "messages": [{"role": "user", "content": f"question {number}"}]}
    try:
        with httpx.Client(base_url=url, timeout=HUNG_S) as client:
            if number % 4 == 0:
                answer = client.get("/ask", params={"question": f"question {number}"})
                good = answer.status_code == 200 and answer.json() == {"answer": "word"}
            elif number % 4 == 1 and not bare:
                answer = client.post(CHAT, json={**body, "stream": True})
                good = answer.status_code == 200 and answer.text.endswith("data: [DONE]\n\n")
            else:
                answer = client.post(CHAT, json=body)
                good = answer.status_code == 200 and "choices" in answer.json()
        return "ok" if good else f"status {answer.status_code}"
    except httpx.ReadTimeout:
        return "hung"
    except httpx.TransportError as error:
        return f"lost: {type(error).__name__}"


def _load(url: str, requests: int, bare: bool) -> Counter[str]:
    told: Counter[str] = Counter()
    numbers = count()
    lock = threading.Lock()

    def client() -> None:
        while (number := next(numbers)) < requests:
            outcome = _ask(url, number, bare)
            with lock:
                told[outcome] += 1

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def _gone(process: subprocess.Popen[bytes]) -> float:
    """Seconds from SIGTERM until every process of it is gone."""
    family = psutil.Process(process.pid).children(recursive=True)
    began = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    psutil.wait_procs(family, 60)
    return time.perf_counter() - began


def run(requests: int, *, bare: bool, preload: bool, provider: str) -> dict[str, Any]:
    """Starts gunicorn, asks, ends it."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    here = Path(__file__).parent
    command = [
        *(sys.executable, "-m", "gunicorn", "prefork:create()", "--bind", f"fd://{listening.fileno()}"),
        *("--workers", "2", "--threads", "4", "--worker-class", "gthread", "--log-level", "info"),
        "--no-control-socket",
        *("--max-requests", "100", "--max-requests-jitter", "20"),
        *(["--preload"] if preload else []),
    ]
    path = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    config = json.dumps(None if bare else settings(provider))
    environ = {**os.environ, "PYTHONPATH": path, "BENCH_CONFIG": config}
    process = subprocess.Popen(
        command, env=environ, pass_fds=[listening.fileno()], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    said: list[str] = []
    assert process.stderr is not None
    reading = threading.Thread(target=lambda: said.extend(line.decode() for line in process.stderr or ()))
    reading.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    while _ask(url, 2, bare) != "ok":
        time.sleep(0.1)
    began = time.perf_counter()
    told = _load(url, requests, bare)
    took = time.perf_counter() - began
    gone = _gone(process)
    reading.join()
    listening.close()
    return {
        "outcomes": dict(told),
        "seconds": round(took, 1),
        "workers": sum("Booting worker" in line for line in said),
        "ended_after_s": round(gone, 2),
        "killed": sum("SIGKILL" in line or "TIMEOUT" in line for line in said),
        "tracebacks": sum("Traceback" in line for line in said),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    args = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    provider = f"http://127.0.0.1:{server.server_port}/v1"
    cases = {
        "bare": {"bare": True, "preload": False},
        "turnout": {"bare": False, "preload": False},
        "turnout, preloaded": {"bare": False, "preload": True},
    }
    told: dict[str, Any] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {psutil.cpu_count()} cores",
        "requests": args.requests,
    }
    for name, case in cases.items():
        told[name] = run(args.requests, provider=provider, **case)
        print(name, told[name], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "prefork.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
