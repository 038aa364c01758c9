"""examples/observability: its rules are the embedded ones, its names the code's; promtool and Prometheus take it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support import fastapi_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from turnout.telemetry.alert_rules import RULES
from turnout.telemetry.series import GAUGES, METRICS, TIMINGS

FOLDER = Path(__file__).parent.parent / "examples" / "observability"
TOKEN = "a long random text"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    (PROMTOOL is None or PROMETHEUS is None) and os.environ.get("CI") != "true", reason="no Prometheus on this machine"
)


def rules() -> dict[str, Any]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_rules_are_the_embedded_ones_with_the_same_bounds() -> None:
    """One by one; each expression ends in the bound."""
    found = rules()
    assert set(found) == {rule.name for rule in RULES}
    for rule in RULES:
        bounds = re.findall(r">= ([\d.]+)", found[rule.name]["expr"])
        assert rule.fires in [float(bound) for bound in bounds], rule.name


def test_rules_and_dashboard_name_what_the_code_counts() -> None:
    """Counters, histograms with their suffixes, gauges."""
    known = {metric.name for metric in (*METRICS.values(), *GAUGES.values())}
    known |= {timing.name + suffix for timing in TIMINGS.values() for suffix in ("_bucket", "_sum", "_count")}
    dashboard = (FOLDER / "grafana" / "turnout.json").read_text("utf-8")
    expressions = [target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]]
    expressions += [rule["expr"] for rule in rules().values()]
    used = {name for expression in expressions for name in re.findall(r"turnout_\w+", expression)}
    assert used
    assert used <= known


def test_compose_mounts_what_is_there_where_it_is_looked_for() -> None:
    """Pinned images, ports on loopback; the files that Prometheus and Grafana are told of are mounted."""
    services: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yml").read_text("utf-8"))["services"]
    assert set(services) == {"prometheus", "grafana"}
    mounted: dict[str, set[str]] = {}
    for name, service in services.items():
        assert set(service) <= {"image", "volumes", "ports", "extra_hosts", "environment"}
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d[\w.-]*", service["image"]), name
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in service["ports"]), name
        for volume in service["volumes"]:
            source, target, mode = volume.split(":")
            # The token is the reader's own.
            assert source == "./status_token" or (FOLDER / source).is_file(), volume
            assert mode == "ro"
            mounted.setdefault(name, set()).add(target)
    prometheus = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    told = {f"/etc/prometheus/{file}" for file in prometheus["rule_files"]}
    for job in prometheus["scrape_configs"]:
        told.add(str(Path("/etc/prometheus") / job["authorization"]["credentials_file"]))
    assert told <= mounted["prometheus"]
    provisioning = yaml.safe_load((FOLDER / "grafana" / "provisioning.yml").read_text("utf-8"))
    assert [provider["options"]["path"] for provider in provisioning["providers"]] == ["/etc/turnout"]
    assert "/etc/turnout/turnout.json" in mounted["grafana"]


@needs_prometheus
def test_promtool_plays_each_rule_on_its_fault() -> None:
    """And quiet before it."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", "alerts_test.yml"], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    played = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
    assert {test["name"] for test in played} == {rule.name for rule in RULES}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@needs_prometheus
def test_prometheus_scrapes_two_workers_on_one_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    """Each tells the requests of both."""
    assert PROMETHEUS is not None
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    redis = {"url": redis_server.url, "prefix": "scraped", "timeout_s": 2.0}
    with LoopbackProvider() as provider:
        config = settings(provider.base_url, status={"token_env": "TURNOUT_STATUS_TOKEN"}, redis=redis)
        with served(fastapi_app.mounted(config)) as one, served(fastapi_app.mounted(config)) as other:
            for number, base in enumerate((one, other, one)):
                body = {"model": "auto", "messages": [{"role": "user", "content": f"easy {number}"}]}
                assert httpx.post(f"{base}/v1/chat/completions", json=body, timeout=30).status_code == 200
            targets = [base.removeprefix("http://") for base in (one, other)]
            scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
            scrape["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
            scrape["rule_files"] = [str(FOLDER / "alerts.yml")]
            scrape["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
            (tmp_path / "status_token").write_text(TOKEN)
            (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(scrape))
            port = _free_port()
            process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={tmp_path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={tmp_path / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--log.level=error",
                ]
            )
            try:
                assert _scraped(port) == dict.fromkeys(targets, 3.0)
            finally:
                process.terminate()
                process.wait(20)


def _scraped(port: int) -> dict[str, float]:
    """The requests that each target tells, once both tell three."""
    query = {"query": "sum by (instance) (turnout_requests_total)"}
    until, found = time.monotonic() + 30, {}
    while time.monotonic() < until:
        try:
            reply = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params=query).json()
            found = {row["metric"]["instance"]: float(row["value"][1]) for row in reply["data"]["result"]}
        except (httpx.TransportError, ValueError, KeyError):
            found = {}
        if len(found) == 2 and set(found.values()) == {3.0}:
            break
        time.sleep(0.2)
    return found
