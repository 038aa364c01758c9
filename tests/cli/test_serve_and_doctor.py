"""`turnout serve`, a process of its own, and what `turnout doctor` says of it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.test_check import settings
from tests.support.provider import LoopbackProvider
from turnout.cli import doctor, main


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def served(tmp_path: Path, provider: LoopbackProvider) -> Iterator[str]:
    """The address of `turnout serve` over a loopback provider."""
    port = free_port()
    config = settings(tmp_path, api_base=provider.base_url)
    command = [sys.executable, "-m", "turnout", "serve", "--config", config, "--port", str(port), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"host": "127.0.0.1", "port": port, "workers": 1}
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 180
    while time.monotonic() < ends and process.poll() is None:
        try:
            if httpx.get(f"{url}/turnout/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("turnout serve did not come up")


def test_it_serves_and_the_doctor_is_content(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The endpoints, OpenAI's errors for the rest; nothing bad is found, and what is open is told."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
    answer = httpx.post(f"{served}/v1/chat/completions", json=body, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["x-turnout-tier"] in ("cheap", "expensive")
    missing = httpx.get(f"{served}/elsewhere")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert main(["doctor", served, "--call", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    verdicts = {finding["name"]: finding["verdict"] for finding in report["findings"]}
    assert verdicts == {"mounted": "good", "ready": "good", "endpoint": "warning", "status": "warning", "call": "good"}
    assert main(["doctor", served.removeprefix("http://")]) == 0
    assert "without any authentication" in capsys.readouterr().out


def test_the_doctor_tells_what_is_not_there(provider: LoopbackProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody at the address; somebody else at it."""
    assert main(["doctor", f"http://127.0.0.1:{free_port()}"]) == 1
    assert "is the app started?" in capsys.readouterr().out
    assert main(["doctor", provider.base_url.removesuffix("/v1"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["name"] == "mounted"
    assert main(["doctor", "ftp://x"]) == 2


def verdicts(answers: dict[str, tuple[int, object]], *, call: bool = False) -> dict[str, tuple[str, str]]:
    """What the doctor finds of an app that answers so, by path; 404 elsewhere."""

    def answer(request: httpx.Request) -> httpx.Response:
        status, body = answers.get(request.url.path, (404, {}))
        return httpx.Response(status, json=body)

    up: dict[str, tuple[int, object]] = {"/turnout/health/live": (200, {"status": "up"})}
    answers = {**up, "/turnout/health/ready": (200, {"status": "up"}), **answers}
    with httpx.Client(base_url="http://app", transport=httpx.MockTransport(answer)) as client:
        return {found.name: (found.verdict, found.text) for found in doctor._examined(client, "token", call=call)}


def test_the_doctor_finds_what_lies_behind_an_app_that_answers() -> None:
    """What readiness warns of and a provider that fails are bad, an alert is a warning; all well is told too."""
    ready = (200, {"status": "up", "warning": "Redis cannot be reached"})
    circuits = {"openai/a": {"state": "closed"}, "openai/b": {"state": "open", "misconfigured": True}}
    alerts = [{"rule": "errors", "firing": True, "message": "many errors"}, {"rule": "alert_delivery", "firing": False}]
    found = verdicts({
        "/turnout/health/ready": ready, "/turnout/status.json": (200, {"circuits": circuits, "alerts": alerts})
    })  # fmt: skip
    assert found["behind it"] == ("bad", "Redis cannot be reached")
    assert found["provider"][0] == "bad"
    assert "openai/b: it refuses us" in found["provider"][1]
    assert found["alert"] == ("warning", "errors: many errors")
    well = verdicts({"/turnout/status.json": (200, {"circuits": {"openai/a": {"state": "closed"}}, "alerts": []})})
    assert {verdict for verdict, _ in well.values()} == {"good"}
    assert "behind it" not in well


def test_the_doctor_does_not_call_bad_what_it_could_not_ask() -> None:
    """An endpoint that is off, or guarded, is none that fails."""
    path = "/v1/chat/completions"
    for status, body in ((404, {}), (404, {"error": {"code": "not_found"}}), (401, {}), (403, {})):
        assert verdicts({path: (status, body)}, call=True)["call"][0] == "warning"
    for status, body in ((404, {"error": {"code": "model_not_found"}}), (503, {"error": {"message": "x"}}), (500, {})):
        assert verdicts({path: (status, body)}, call=True)["call"][0] == "bad"


def test_a_token_variable_that_is_not_set_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Named; nothing is asked."""
    assert main(["doctor", "http://127.0.0.1:9", "--token-env", "NO_SUCH_VARIABLE"]) == 2
    assert "NO_SUCH_VARIABLE" in capsys.readouterr().err


def test_serve_refuses_what_it_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a settings file, and with no worker."""
    assert main(["serve", "--config", str(tmp_path / "none.toml")]) == 1
    assert main(["serve", "--config", settings(tmp_path), "--workers", "0"]) == 2
    assert "--workers: '0' is not a whole number from 1" in capsys.readouterr().err


def test_a_port_that_is_taken_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, before anything is loaded, with what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert main(["serve", "--config", settings(tmp_path), "--port", str(listener.getsockname()[1])]) == 1
    assert "in use; name another with --port" in capsys.readouterr().err
