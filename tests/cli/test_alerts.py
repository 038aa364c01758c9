"""`turnout alerts test`: one alert on its way, and what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from turnout.cli import main

TIERS = '[tiers.cheap]\nmodels = ["openai/a"]\n[tiers.expensive]\nmodels = ["openai/b"]\n'


class _Receiver(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.taken: list[tuple[dict[str, str], Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Receiver]:
    """A webhook's receiver on loopback."""
    monkeypatch.setenv("TURNOUT_WEBHOOK_SECRET", "secret")
    server = _Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def config(folder: Path, receiver: _Receiver, more: str = "") -> str:
    file = folder / "turnout.toml"
    hosts = '[webhooks]\nallow_hosts = ["127.0.0.1"]\n'
    url = f'[alerts]\nwebhook_url = "http://127.0.0.1:{receiver.server_port}/hook"\n{more}'
    file.write_text(TIERS + hosts + url, "utf-8")
    return str(file)


def test_one_alert_is_sent_signed(receiver: _Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; with --json only JSON."""
    assert main(["alerts", "test", "--config", config(tmp_path, receiver), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"delivered": True, "status": 200, "error": None}
    ((headers, body),) = receiver.taken
    assert headers["webhook-signature"].startswith("v1,")
    assert body["type"] == "turnout.alert.test"


def test_slack_s_form_is_a_text(receiver: _Receiver, tmp_path: Path) -> None:
    """`format = "slack"`."""
    assert main(["alerts", "test", "--config", config(tmp_path, receiver, 'format = "slack"\n')]) == 0
    assert list(receiver.taken[0][1]) == ["text"]


def test_a_receiver_that_refuses_is_told(
    receiver: _Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, after one try."""
    receiver.status = 500
    assert main(["alerts", "test", "--config", config(tmp_path, receiver)]) == 1
    told = capsys.readouterr().out
    assert "answered 500 (http://127.0.0.1:" in told
    assert "answers the POST with 200 to 299" in told
    assert len(receiver.taken) == 1


def test_without_a_webhook_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2."""
    file = tmp_path / "turnout.toml"
    file.write_text(TIERS, "utf-8")
    assert main(["alerts", "test", "--config", str(file)]) == 2
    assert "webhook_url" in capsys.readouterr().err
