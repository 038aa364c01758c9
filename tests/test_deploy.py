"""examples/deploy: what it starts runs here without containers; the rest is held by its own linters, or by what its
formats demand."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from turnout.cli import COMMANDS
from turnout.settings import Settings

FOLDER = Path(__file__).parents[1] / "examples" / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yml").read_text("utf-8"))
KUBERNETES = list(yaml.safe_load_all((FOLDER / "kubernetes.yml").read_text("utf-8")))
UNIT = (FOLDER / "turnout@.service").read_text("utf-8")
TOKEN = "a long random text"
HEALTH = {"/turnout/health/live", "/turnout/health/ready"}


def docker_json(instruction: str) -> list[str]:
    """The exec form behind the last such instruction."""
    found: list[str] = json.loads(re.findall(rf"^{instruction}.*?(\[.*\])$", DOCKERFILE, re.M)[-1])
    return found


def commands() -> dict[str, list[str]]:
    """What each deployment starts, by where it says so."""
    started = re.findall(r"^ExecStart=\S+/turnout (.*)$", UNIT, re.M)[0].split()
    pod = KUBERNETES[0]["spec"]["template"]["spec"]["containers"][0]
    return {
        "Dockerfile": docker_json("CMD")[1:],
        "compose.yml worker": COMPOSE["services"]["worker"]["command"][1:],
        "kubernetes.yml": pod["args"][1:],
        **{f"turnout@{name}.service": [name, *started[1:]] for name in ("serve", "worker")},
    }


def test_every_command_is_one() -> None:
    """With the settings at the one place where the files put them."""
    for where, command in commands().items():
        assert command[0] in COMMANDS, where
        assert command[command.index("--config") + 1] == "/etc/turnout/turnout.toml", where
    assert "COPY examples/deploy/turnout.toml /etc/turnout/turnout.toml" in DOCKERFILE


@contextmanager
def running(command: list[str], environ: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command's process; stopped as a container is, and it ends by itself."""
    process = subprocess.Popen([sys.executable, "-m", "turnout", *command], env=environ, cwd=folder, text=True)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        # uvicorn ends by the signal that it was stopped with, once all is settled.
        assert process.wait(60) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def test_what_the_containers_start_serves_works_is_healthy_and_stops(
    tmp_path: Path, provider: LoopbackProvider, redis_server: RedisServer
) -> None:
    """The Dockerfile's command and its health check, the worker's of compose, with the settings beside them: at a
    loopback provider and a real Redis, in an empty folder that nothing is written to, without a home."""
    text = (FOLDER / "turnout.toml").read_text("utf-8").replace("redis://redis:6379/0", redis_server.url)
    for name in Settings.from_toml(FOLDER / "turnout.toml").model_names:
        text += f'[models."{name}"]\nparams = {{ api_base = "{provider.base_url}" }}\n'
    settings, empty = tmp_path / "turnout.toml", tmp_path / "empty"
    settings.write_text(text)
    empty.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    here = {"/etc/turnout/turnout.toml": str(settings), "0.0.0.0": "127.0.0.1", "8000": port}
    environ = {**os.environ, "OPENAI_API_KEY": "sk-test", "TURNOUT_STATUS_TOKEN": TOKEN, "HOME": str(tmp_path / "none")}
    serve, work = ([here.get(word, word) for word in commands()[name]] for name in ("Dockerfile", "compose.yml worker"))
    check = [sys.executable, *docker_json("HEALTHCHECK")[1:]]
    check[-1] = check[-1].replace(":8000/", f":{port}/")
    with running(serve, environ, empty) as server, running(work, environ, empty):
        until = time.monotonic() + 90
        while subprocess.run(check, capture_output=True).returncode:
            assert server.poll() is None
            assert time.monotonic() < until, "never healthy"
            time.sleep(0.3)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            client.headers["authorization"] = "Bearer ann"
            body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
            assert client.post("/v1/chat/completions", json=body).headers["x-turnout-tier"] in ("cheap", "expensive")
            later = {"prefer": "respond-async, wait=30"}
            accepted = client.post("/v1/chat/completions", json={**body, "temperature": 0.5}, headers=later)
            assert accepted.status_code in (200, 202), accepted.text
            assert all(client.get(path).status_code == 200 for path in HEALTH)
            assert client.get("/turnout/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert not list(empty.iterdir())


def test_the_image_is_small_and_runs_as_nobody_in_particular() -> None:
    """Two stages from pinned slim images, no root, exec form; only what it is built from is sent to the builder."""
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert images == ["python:3.12-slim"] * 2
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.M)
    assert "--no-cache-dir" in DOCKERFILE
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for source in re.findall(r"^COPY ((?!--).*) \S+$", DOCKERFILE, re.M):
        for path in source.split():
            assert (FOLDER.parents[1] / path).exists(), path
            assert f"!{path}" in ignored, path


def test_compose_s_services_are_whole() -> None:
    """Pinned images, mounts that are there, known secrets and volumes; ours read-only, without capabilities or root."""
    services: dict[str, dict[str, Any]] = COMPOSE["services"]
    assert set(services) == {"app", "worker", "redis", "prometheus", "grafana"}
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:(v?\d+\.\d[\w.-]*|local)", service["image"]), name
        secrets = [COMPOSE["secrets"][name] for name in service.get("secrets", ())]
        # Compose refuses to write one from the environment into a read-only container.
        assert service["read_only"] is not any("environment" in secret for secret in secrets), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (FOLDER / source).resolve().exists(), volume
        assert set(service.get("depends_on", ())) <= set(services)
    for name in ("app", "worker"):
        assert services[name]["user"] == "10001:10001"
    assert (FOLDER / services["app"]["build"]["context"] / services["app"]["build"]["dockerfile"]).exists()


def test_the_pods_probes_and_selectors_fit() -> None:
    """Each probe asks a path that Turnout answers (the run above asks them too), of a named port; the disruption budget
    is about the deployment's pods; the stop is longer than a call may last."""
    deployment, budget = KUBERNETES
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert (budget["apiVersion"], budget["kind"]) == ("policy/v1", "PodDisruptionBudget")
    spec, pod = deployment["spec"], deployment["spec"]["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels == budget["spec"]["selector"]["matchLabels"]
    assert budget["spec"]["minAvailable"] < spec["replicas"]
    (container,) = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in HEALTH
        assert container[probe]["httpGet"]["port"] in ports
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    settings = Settings.from_toml(FOLDER / "turnout.toml")
    assert pod["terminationGracePeriodSeconds"] > settings.retry.deadline_s


# By file: the program that knows its format, beside this interpreter, and its arguments; a part of the file and what it
# is turned into to be refused.
LINTERS = {
    "Dockerfile": (["hadolint"], "FROM python:3.12-slim", "FROM python", "DL3006"),
    "compose.yml": (
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
        "read_only:",
        "read_onyl:",
        "onyl",
    ),
    "kubernetes.yml": (["kubernetes-validate", "--strict"], "livenessProbe:", "livelyProbe:", "livelyProbe"),
}


@pytest.mark.parametrize("name", LINTERS)
def test_each_file_s_own_linter_is_content(name: str, tmp_path: Path) -> None:
    """And says so of this very file: it is not of one with a slip."""
    (program, *arguments), part, slip, told = LINTERS[name]
    path = Path(sys.executable).with_name(program)
    if not path.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"no {program} in this environment")
    text = (FOLDER / name).read_text("utf-8")
    assert part in text
    for changed, code in ((text, 0), (text.replace(part, slip), 1)):
        (tmp_path / name).write_text(changed)
        done = subprocess.run([path, *arguments, tmp_path / name], capture_output=True, text=True)
        assert bool(done.returncode) is bool(code), done.stdout + done.stderr
    assert told in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """As `systemd-analyze verify` reads it, with a command that is here."""
    for name in ("serve", "worker"):
        unit = tmp_path / f"turnout@{name}.service"
        unit.write_text(UNIT.replace("/opt/turnout/bin/turnout", sys.executable))
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        assert (done.returncode, str(unit) in done.stderr) == (0, False), done.stderr


@pytest.mark.skipif(
    shutil.which("promtool") is None and os.environ.get("CI") != "true", reason="no promtool on this machine"
)
def test_prometheus_takes_its_settings() -> None:
    """By its own tool, but for the token's file, which compose brings."""
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(FOLDER / "prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
