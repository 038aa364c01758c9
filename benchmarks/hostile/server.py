"""The app's process, with Redis beside it or without, and what it tells over its own paths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.redis_server import RedisServer
from tests.support.workers import free_port

ROOT = Path(__file__).resolve().parents[2]
ANSWERS_WITHIN_S = 15.0
CONFIGURATIONS = ("asgi-memory", "asgi-redis", "wsgi-memory", "wsgi-redis")
MODELS = {"openai/small": "/v1", "anthropic/large": "", "gemini/large": "/v1beta"}


def settings(provider_url: str, redis_url: str | None) -> dict[str, Any]:
    """A usual app's: a budget and rate limits for each user, a total, and one model a provider."""
    model = {"input_usd_per_million": 1, "output_usd_per_million": 1, "max_output_tokens": 4096}
    names = list(MODELS)
    return {
        "tiers": {"cheap": {"models": names[:1]}, "expensive": {"models": names[1:]}},
        "models": {name: {**model, "params": {"api_base": provider_url + end}} for name, end in MODELS.items()},
        "routing": {"threshold": 0.5},
        "identity": {"user_header": "x-user-id", "bearer": True},
        "limits": {"per_user": ["1000000/minute", "10000M tokens/hour"]},
        "budgets": {"per_user": "50/day", "total": "100000/day"},
        "fallback": {"other_tier": "none"},
        "retry": {"deadline_s": 10.0, "stream_deadline_s": 10.0},
        "breaker": {"reset_s": 1.0},
        **({"redis": {"url": redis_url, "prefix": "neighbour"}} if redis_url else {}),
    }


class App:
    """A running app at `url`."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=ANSWERS_WITHIN_S) as response:
            return json.loads(response.read())

    def loop_stop_s(self) -> float:
        """The longest stop of the loop since the last call."""
        return float(self.ask("/loop"))

    def ledger(self, *users: str) -> dict[str, dict[str, int]]:
        """Spent and reserved by user and in total, nano-USD."""
        ledger: dict[str, dict[str, int]] = self.ask("/ledger?" + urllib.parse.urlencode([("user", u) for u in users]))
        return ledger

    def wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                self.ask("/loop")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise RuntimeError("the app did not start")


@contextmanager
def _served(config: dict[str, Any], *command: str) -> Iterator[App]:
    port = free_port()
    path = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "sk-benchmark")
    environ = {**os.environ, **keys, "PYTHONPATH": path, "NEIGHBOUR_CONFIG": json.dumps(config)}
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-m", *(part.replace("PORT", str(port)) for part in command)],
        env=environ, stdout=log, stderr=log,
    )  # fmt: skip
    app = App(port, process)
    try:
        app.wait()
        yield app
    except RuntimeError:
        log.seek(0)
        print(log.read()[-4000:].decode(errors="replace"), file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def asgi(config: dict[str, Any]) -> Any:
    """uvicorn, one process."""
    quiet = ("--log-level", "critical", "--no-access-log", "--timeout-graceful-shutdown", "3")
    return _served(config, "uvicorn", "--factory", "hostile.apps:asgi", "--port", "PORT", *quiet)


def wsgi(config: dict[str, Any]) -> Any:
    """gunicorn, one worker of threads."""
    options = ("--threads", "24", "--worker-class", "gthread", "--log-level", "critical", "--no-control-socket")
    options += ("--graceful-timeout", "3", "--timeout", "60")
    return _served(config, "gunicorn", "hostile.apps:wsgi()", "--bind", "127.0.0.1:PORT", *options)


@contextmanager
def redis() -> Iterator[str]:
    server = RedisServer()
    try:
        yield server.url
    finally:
        server.kill()


@contextmanager
def no_redis() -> Iterator[None]:
    yield None
