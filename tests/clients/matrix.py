"""Which clients work with an app that mounts Turnout, unchanged but for URL, key and model: run for real, each in an
environment of its own, over HTTP; the two SDKs also over `turnout.transport()`, in the environment that runs this.

    python tests/clients/matrix.py [--environments DIR] [--write docs/clients.md] [CLIENT ...]

makes each environment from `CLIENT.txt` with pip (or `package.json` with npm) where DIR has none yet, serves Turnout
over the provider of provider.py, runs each client's checks, and prints or writes the table; in a page the rows of
clients that were not asked for stay as they are. Fails where a check does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.clients import provider  # noqa: E402
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
# In this environment, over the transport: each name as `CLIENT` above, its package, and its program.
IN_PROCESS = {
    "openai 3, in process": ("openai-3", "openai", "openai_sdk.py"),
    "anthropic, in process": ("anthropic", "anthropic", "anthropic_sdk.py"),
}
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


def run_in_process(program: str, origin: str) -> Mapping[str, str]:
    """`ok` or the error of each check of this program, over the transport. origin: the provider's."""
    paths = [str(HERE), str(HERE.parents[1] / "src"), os.environ.get("PYTHONPATH", "")]
    environ = {
        **os.environ,
        "TURNOUT_URL": "http://turnout",
        "TURNOUT_CONFIG": json.dumps(settings(origin)),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return _results([sys.executable, "-W", "ignore", str(HERE / program)], environ)


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


def made(environment: str, folder: Path) -> Path:
    """The environment's folder, made where it is not there yet."""
    place = folder / environment
    if environment == "node":
        if not (place / "node_modules").is_dir():
            place.mkdir(parents=True, exist_ok=True)
            (place / "package.json").write_text((HERE / "package.json").read_text())
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=place, check=True)
        return place
    if not (place / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        install = [place / "bin" / "pip", "install", "-q", "-r", HERE / f"{environment}.txt"]
        subprocess.run(list(map(str, install)), check=True)
        (place / "done").touch()
    return place


def checked(environment: str, program: str, folder: Path, url: str) -> tuple[str, Mapping[str, str]]:
    """The client's version, and `ok` or the error of each of its checks."""
    place = made(environment, folder)
    environ = {**os.environ, "TURNOUT_URL": url}
    if environment == "node":
        for file in HERE.glob("*.mjs"):
            (place / file.name).write_text(file.read_text())
        package = json.loads((place / "node_modules" / NODE_PACKAGES[program] / "package.json").read_text())
        command, version = ["node", str(place / program)], package["version"]
    else:
        python = str(place / "bin" / "python")
        name = PACKAGES.get(environment, environment)
        asked = [python, "-c", f"import importlib.metadata as m; print(m.version({name!r}))"]
        version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        command = [python, "-W", "ignore", str(HERE / program)]
    return version, _results(command, environ)


def table(rows: Mapping[str, tuple[str, Mapping[str, str]]], earlier: Mapping[str, str]) -> str:
    """earlier: the lines of clients that were not run now, by their names."""
    heads = [HEADS.get(check, check) for check in CHECKS]
    lines = [f"| client | version | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(CHECKS)}"]
    for client in (*CLIENTS, *IN_PROCESS):
        if client not in rows:
            lines += [earlier[client]] if client in earlier else []
            continue
        version, results = rows[client]
        cells = ["" if check not in results else "yes" if results[check] == "ok" else "no" for check in CHECKS]
        lines.append(f"| {client} | {version} | {' | '.join(cells)} |")
    return "\n".join(lines)


def lines_of(page: Path | None) -> dict[str, str]:
    """The lines of a page's table, by their clients' names."""
    lines = page.read_text("utf-8").splitlines() if page is not None and page.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}


HEAD = """# Clients that were run

Written by `nox -s clients`. Each client ran in an environment of its own against an app that mounts Turnout, over HTTP,
unchanged but for URL, key and model, over one loopback provider; `in process`: over `turnout.transport()`, in the
environment of Turnout's own tests. `yes`: what came back is what the provider said; `no`: it was not; empty: not tried,
or not a thing of this client's.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="the names of environments; all by default")
    parser.add_argument("--environments", type=Path, default=Path(".clients"), help="where they are kept")
    parser.add_argument("--write", type=Path, help="the page to write the table to")
    arguments = parser.parse_args()
    rows: dict[str, tuple[str, Mapping[str, str]]] = {}
    with app() as (url, origin):
        for client, (environment, program) in CLIENTS.items():
            if arguments.clients and environment not in arguments.clients:
                continue
            rows[client] = checked(environment, program, arguments.environments.absolute(), url)
            print(client, rows[client], flush=True)
        for client, (environment, package, program) in IN_PROCESS.items():
            if not arguments.clients or environment in arguments.clients:
                rows[client] = metadata.version(package), run_in_process(program, origin)
                print(client, rows[client], flush=True)
    text = HEAD + table(rows, lines_of(arguments.write)) + "\n"
    if arguments.write:
        arguments.write.write_text(text, "utf-8")
    print(text)
    return int(any(result != "ok" for _, results in rows.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
