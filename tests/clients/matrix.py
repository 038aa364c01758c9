"""Which clients work with an app that mounts Turnout, unchanged but for URL, key and model: run for real, each in an
environment of its own, over HTTP; those of Python also in process, over `turnout.transport()`, in a second environment
that holds Turnout, too.

    python tests/clients/matrix.py [--environments DIR] [--write docs/clients.md] [CLIENT ...]

makes each environment from `CLIENT.txt` with pip (or `package.json` with npm) where DIR has none yet, serves Turnout
over the provider of provider.py, runs each client's checks, and prints or writes the table; in a page the rows of
clients that were not asked for stay as they are. Fails where a check does; a client that cannot be run in process is
a row that says why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.clients import provider  # noqa: E402
from tests.clients.report import NO_WAY_IN  # noqa: E402
from tests.support.apps import served  # noqa: E402
from turnout.asgi import TurnoutMiddleware  # noqa: E402

# Its environment, and the program that runs in it.
CLIENTS = {
    "openai 2": ("openai-2", "openai_sdk.py"),
    "openai 3": ("openai-3", "openai_sdk.py"),
    "anthropic": ("anthropic", "anthropic_sdk.py"),
    "openai-agents": ("openai-agents", "openai_agents.py"),
    "LangChain": ("langchain", "langchain_client.py"),
    "LlamaIndex": ("llama-index", "llama_index_client.py"),
    "pydantic-ai": ("pydantic-ai", "pydantic_ai_client.py"),
    "instructor": ("instructor", "instructor_client.py"),
    "DSPy": ("dspy", "dspy_client.py"),
    "llm": ("llm", "llm_client.py"),
    "openai (Node)": ("node", "node_openai.mjs"),
    "ai (Vercel)": ("node", "vercel_ai.mjs"),
}
# They make their HTTP client themselves, or none: they cannot be given the transport.
NO_TRANSPORT = ("DSPy", "llm")
CHECKS = (
    *("chat", "stream", "tools", "structured", "responses", "responses_tools"),
    *("messages", "count_tokens", "claude_code", "embeddings", "completions"),
)
# What stands in a table's head, and whose version a client's row tells.
HEADS = {"responses_tools": "responses, tools", "count_tokens": "count tokens", "claude_code": "Claude Code's shape"}
PACKAGES = {
    "openai-2": "openai",
    "openai-3": "openai",
    "langchain": "langchain-openai",
    "llama-index": "llama-index-llms-openai-like",
    "pydantic-ai": "pydantic-ai-slim",
}
NODE_PACKAGES = {"node_openai.mjs": "openai", "vercel_ai.mjs": "ai"}

# A client's version, or why it was not run; and `ok` or the error of each of its checks.
Row = tuple[str, Mapping[str, str]]


def settings(origin: str) -> dict[str, object]:
    called = {"params": {"api_base": f"{origin}/v1"}}
    # Real ones: litellm's table knows what they take, and that they do not think.
    names = ("openai/gpt-4o-mini", "openai/gpt-4o", "openai/text-embedding-3-small")
    return {
        "tiers": {"cheap": {"models": [names[0]]}, "expensive": {"models": [names[1]]}},
        "models": dict.fromkeys(names, called),
        "routing": {"max_expensive_share": 0.3},
        "identity": {"bearer": True},
    }


def _results(command: list[str], environ: Mapping[str, str]) -> Mapping[str, str]:
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"start": done.stderr[-600:]}
    results: Mapping[str, str] = json.loads(lines[-1])
    return results


@contextmanager
def app() -> Iterator[tuple[str, str]]:
    """The URLs of an app that mounts Turnout, and of the provider behind it."""
    with served(provider.app) as origin:
        mounted = Starlette(middleware=[Middleware(TurnoutMiddleware, config=settings(origin))])
        with served(mounted) as url:
            yield url, origin


class DependencyConflict(Exception):
    """No environment can hold the client and Turnout together."""


def made(environment: str, folder: Path, *, with_turnout: bool = False) -> Path:
    """The environment's folder, made where it is not there yet. Raises DependencyConflict."""
    if environment == "node":
        return _made_with_npm(folder / environment)
    place = folder / (f"{environment}-in-process" if with_turnout else environment)
    if not (place / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        # Compiled is what is imported: most of what Turnout brings along is not.
        install = [place / "bin" / "pip", "install", "-q", "--no-compile", "-r", HERE / f"{environment}.txt"]
        if with_turnout:
            install += ["-e", ROOT]
        done = subprocess.run(list(map(str, install)), stderr=subprocess.PIPE, text=True, check=False)
        if "ResolutionImpossible" in done.stderr:
            raise DependencyConflict(done.stderr)
        if done.returncode:
            raise RuntimeError(done.stderr)
        (place / "done").touch()
    return place


def _made_with_npm(place: Path) -> Path:
    if not (place / "node_modules").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text((HERE / "package.json").read_text())
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=place, check=True)
    return place


def over_http(environment: str, program: str, folder: Path, url: str) -> Row:
    place = made(environment, folder)
    environ = {**os.environ, "TURNOUT_URL": url}
    if environment != "node":
        return _run_python(place, environment, program, environ)
    for file in HERE.glob("*.mjs"):
        (place / file.name).write_text(file.read_text())
    package = json.loads((place / "node_modules" / NODE_PACKAGES[program] / "package.json").read_text())
    return package["version"], _results(["node", str(place / program)], environ)


def in_process(client: str, environment: str, program: str, folder: Path, origin: str) -> Row:
    """Over the transport. origin: the provider's."""
    if client in NO_TRANSPORT:
        return NO_WAY_IN, {}
    try:
        place = made(environment, folder, with_turnout=True)
    except DependencyConflict as conflict:
        print(conflict, file=sys.stderr)
        return "cannot be installed beside Turnout", {}
    return _run_python(place, environment, program, {**os.environ, **in_process_environ(origin)})


def in_process_environ(origin: str) -> dict[str, str]:
    """What tells a client's program to make a Turnout in its own process. origin: the provider's."""
    return {"TURNOUT_URL": "http://turnout", "TURNOUT_CONFIG": json.dumps(settings(origin))}


def _run_python(place: Path, environment: str, program: str, environ: Mapping[str, str]) -> Row:
    python = str(place / "bin" / "python")
    name = PACKAGES.get(environment, environment)
    asked = [python, "-c", f"import importlib.metadata as m; print(m.version({name!r}))"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return version, _results([python, "-W", "ignore", str(HERE / program)], environ)


def row_names(client: str) -> tuple[str, str]:
    """The names of its rows: over HTTP, and in process."""
    return client, f"{client}, in process"


def table(rows: Mapping[str, Row], earlier: Mapping[str, str]) -> str:
    """earlier: the lines of clients that were not run now, by their names."""
    heads = [HEADS.get(check, check) for check in CHECKS]
    lines = [f"| client | version | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(CHECKS)}"]
    for client in (name for names in map(row_names, CLIENTS) for name in names):
        if client not in rows:
            lines += [earlier[client]] if client in earlier else []
            continue
        version, results = rows[client]
        lines.append(f"| {client} | {version} | {' | '.join(cell(results.get(check)) for check in CHECKS)} |")
    return "\n".join(lines)


def cell(result: str | None) -> str:
    """What the table says of a check's result: `ok`, an error, NO_WAY_IN, or None where it was not tried."""
    if result is None or result == NO_WAY_IN:
        return result or ""
    return "yes" if result == "ok" else "no"


def lines_of(page: Path | None) -> dict[str, str]:
    """The lines of a page's table, by their clients' names."""
    lines = page.read_text("utf-8").splitlines() if page is not None and page.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}


HEAD = """# Clients that were run

Written by `nox -s clients`. Each client ran in an environment of its own against an app that mounts Turnout, over HTTP,
unchanged but for URL, key and model, over one loopback provider; `in process`: over `turnout.transport()`, in an
environment that holds Turnout, too, with the newest version that fits beside it. `yes`: what came back is what the
provider said; `no`: it was not; `takes no HTTP client`: it makes its own, so it cannot be given the transport; empty:
not tried, or not a thing of this client's.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="the names of environments; all by default")
    parser.add_argument("--environments", type=Path, default=Path(".clients"), help="where they are kept")
    parser.add_argument("--write", type=Path, help="the page to write the table to")
    arguments = parser.parse_args()
    folder = arguments.environments.absolute()
    rows: dict[str, Row] = {}
    with app() as (url, origin):
        for client, (environment, program) in CLIENTS.items():
            if arguments.clients and environment not in arguments.clients:
                continue
            over_network, over_transport = row_names(client)
            rows[over_network] = over_http(environment, program, folder, url)
            print(over_network, rows[over_network], flush=True)
            if environment != "node":
                rows[over_transport] = in_process(client, environment, program, folder, origin)
                print(over_transport, rows[over_transport], flush=True)
    text = HEAD + table(rows, lines_of(arguments.write)) + "\n"
    if arguments.write:
        arguments.write.write_text(text, "utf-8")
    print(text)
    return int(any(cell(result) == "no" for _, results in rows.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
