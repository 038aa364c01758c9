"""What is checked, and on what: `nox` runs the short sessions, `nox -s nightly` everything that takes long.

Sessions of interpreters that this machine does not have are skipped.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nox

PYTHONS = ("3.11", "3.12", "3.13")

nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Lint, format and types."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The whole suite with the newest dependencies that fit."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The whole suite with the lowest dependencies that pyproject.toml declares."""
    # The lowest anyio's plugin warns under pytest 9.2, and a warning is an error here.
    session.install("-e", ".[test]", *lowest_requirements(), "pytest<9.2")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def nightly(session: nox.Session) -> None:
    """The sessions that take long, one after another."""
    for python in PYTHONS:
        session.notify(f"tests-{python}")
    session.notify("lowest")
    session.notify("hostile")
    session.notify("clients")
    session.notify("onnx")
    session.notify("containers")
    session.notify("audit")


@nox.session(python=PYTHONS[0])
def hostile(session: nox.Session) -> None:
    """The long runs against whatever callers, providers and outages do; each fails where a wanted figure is missed."""
    session.install("-e", ".[test]")
    for transport in ("direct", "litellm"):
        session.run("python", "benchmarks/wire_fuzz.py", "--count", "100000", "--transport", transport)
    session.run("python", "-m", "tests.upstream.test_soak", "10000")
    session.run("python", "benchmarks/neighbour.py")
    session.run("python", "benchmarks/fault_matrix.py")


@nox.session(python=PYTHONS[0])
def clients(session: nox.Session) -> None:
    """Each client of tests/clients in an environment of its own; writes the table. Needs the network, and npm."""
    session.install("-e", ".[test]")
    session.run("python", "tests/clients/matrix.py", "--write", "docs/clients.md", *session.posargs)


@nox.session(python=PYTHONS[0])
def onnx(session: nox.Session) -> None:
    """The tests of what `semantic-onnx` installs, which the others skip."""
    session.install("-e", ".[test,semantic-onnx]")
    session.run("pytest", "tests/caching/semantic/test_embedders.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def containers(session: nox.Session) -> None:
    """Each container that outlives a request, filled with a million distinct entries."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/test_containers.py", *session.posargs, env={"TURNOUT_TESTS": "nightly"})


@nox.session(python=PYTHONS[0])
def audit(session: nox.Session) -> None:
    """Known holes in the dependencies, newest and lowest. Asks PyPI's database: needs the network."""
    session.install("pip-audit")
    session.run("pip-audit", ".")
    session.install("-e", ".", *lowest_requirements())
    session.run("pip-audit", "--local")


def lowest_requirements() -> list[str]:
    """Each dependency pinned to its lower bound: `anyio>=4.4` becomes `anyio==4.4`."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    return [re.sub(r">=([^,]+).*", r"==\1", requirement) for requirement in project["dependencies"]]
