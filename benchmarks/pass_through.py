"""What does the mounted middleware cost on a path that is not its own?

Added time: 100,000 direct calls of a bare app and of the same app under the middleware, in this process, rounds
interleaved; the difference of the median CPU times is what the middleware adds to a call. Against it stands what
one HTTP request costs the bare app's server process: CPU time of one uvicorn (ASGI, a Starlette route) and one gunicorn
gthread worker (WSGI, a Flask route), asked by this process over kept connections. The share is the first by the
second; at most 3 % is the aim.

Caveat: direct calls run with warm caches, as a busy server's do; a process' CPU times tick every 10 ms, so that
the HTTP figure wants thousands of requests.

    python benchmarks/pass_through.py [--calls 100000] [--requests 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

RESULTS = Path(__file__).parent / "results"
ROUNDS = 10
CONFIG = {"tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}}


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    return None


def _wsgi(environ: Any, start_response: Any) -> Any:
    # No list: a list is handed back as it is, and what most frameworks give is not one.
    return iter(())


def asgi_app() -> Any:
    """For uvicorn: a bare Starlette route."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def home(request: Any) -> Any:
        return JSONResponse({"hello": "world"})

    return Starlette(routes=[Route("/", home)])


def wsgi_app() -> Any:
    """For gunicorn: a bare Flask route."""
    from flask import Flask

    app = Flask(__name__)
    app.get("/")(lambda: {"hello": "world"})
    return app


def _asgi_round(app: Any, calls: int) -> float:
    async def run() -> float:
        headers = [(b"host", b"app"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")]
        scope = {"type": "http", "method": "GET", "path": "/items/7", "root_path": "", "headers": headers}
        began = time.process_time()
        for _ in range(calls):
            # A scope of its own a call, gone after it, as a server's are.
            await app({**scope, "state": {}}, None, None)
        return (time.process_time() - began) / calls * 1e6

    return asyncio.run(run())


def _wsgi_round(app: Any, calls: int) -> float:
    body = io.BytesIO()
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/items/7",
        "SCRIPT_NAME": "",
        "wsgi.input": body,
        "HTTP_HOST": "app",
    }
    began = time.process_time()
    for _ in range(calls):
        response = app({**environ}, None)
        for _ in response:
            pass
        if (close := getattr(response, "close", None)) is not None:
            close()
    return (time.process_time() - began) / calls * 1e6


def _added_us(one_round: Callable[[Any, int], float], bare: Any, mounted: Any, calls: int) -> dict[str, float]:
    told: dict[str, list[float]] = {"bare": [], "mounted": []}
    for _ in range(ROUNDS):
        told["bare"].append(one_round(bare, calls // ROUNDS))
        told["mounted"].append(one_round(mounted, calls // ROUNDS))
    medians = {name: statistics.median(values) for name, values in told.items()}
    return {**{name: round(value, 3) for name, value in medians.items()}, "added": medians["mounted"] - medians["bare"]}


def _http_us(command: list[str], requests: int) -> float:
    """Microseconds of CPU that one request costs the server's processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = [part.replace("PORT", str(port)) for part in command]
    here = str(Path(__file__).parent)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-m", *command], env=environ)
    try:
        with httpx.Client(timeout=30) as client:
            _wait(client, url)
            for _ in range(200):
                assert client.get(url).status_code == 200
            before = _cpu_s(process.pid)
            for _ in range(requests):
                client.get(url)
            return (_cpu_s(process.pid) - before) / requests * 1e6
    finally:
        process.terminate()
        process.wait(20)


def _wait(client: httpx.Client, url: str) -> None:
    for _ in range(300):
        try:
            client.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


def _cpu_s(pid: int) -> float:
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def run(calls: int, requests: int) -> dict[str, Any]:
    from turnout import Turnout
    from turnout.asgi import TurnoutMiddleware as Asgi
    from turnout.testing import FixedScorer, ScriptedProvider
    from turnout.wsgi import TurnoutMiddleware as Wsgi

    turnout = Turnout(CONFIG, provider=ScriptedProvider(), scorer=FixedScorer())
    uvicorn = [
        "uvicorn",
        "--factory",
        "pass_through:asgi_app",
        "--port",
        "PORT",
        "--log-level",
        "error",
        "--no-access-log",
    ]
    gunicorn = [
        "gunicorn",
        "pass_through:wsgi_app()",
        "--bind",
        "127.0.0.1:PORT",
        "--threads",
        "4",
        "--no-control-socket",
    ]
    told: dict[str, Any] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {psutil.cpu_count()} cores",
        "calls": calls,
        "requests": requests,
    }
    doors: dict[str, tuple[Any, Any, Any, list[str]]] = {
        "asgi": (_asgi_round, _asgi, Asgi(_asgi, turnout=turnout), uvicorn),
        "wsgi": (_wsgi_round, _wsgi, Wsgi(_wsgi, turnout=turnout), gunicorn),
    }
    for name, (one_round, bare, mounted, command) in doors.items():
        direct = _added_us(one_round, bare, mounted, calls)
        request = _http_us(command, requests)
        told[name] = {
            "bare_call_us": direct["bare"],
            "mounted_call_us": direct["mounted"],
            "added_us": round(direct["added"], 3),
            "http_request_cpu_us": round(request, 1),
            "share": round(direct["added"] / request, 5),
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=5000)
    args = parser.parse_args()
    told = run(args.calls, args.requests)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "pass_through.json").write_text(json.dumps(told, indent=1) + "\n")
    for name in ("asgi", "wsgi"):
        one = told[name]
        print(
            f"{name}: {one['added_us']:.2f} us added to a call, "
            f"{one['http_request_cpu_us']:.0f} us a bare HTTP request: "
            f"{one['share']:.2%} (aim: at most 3 %)"
        )


if __name__ == "__main__":
    sys.exit(main())
