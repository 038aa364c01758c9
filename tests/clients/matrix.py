"""Which clients work with an app that mounts Turnout, unchanged but for URL, key and model: run for real, each in an
environment of its own, over HTTP.

    python tests/clients/matrix.py [--environments DIR] [--write docs/clients.md] [CLIENT ...]

makes each environment from `CLIENT.txt` with pip (or `package.json` with npm) where DIR has none yet, serves Turnout
over the provider of provider.py, runs each client's checks, and prints or writes the table. Fails where a check does.
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
    names = ("openai/small", "openai/large", "openai/text-embedding-3-small")
    return {
        "tiers": {"cheap": {"models": [names[0]]}, "expensive": {"models": [names[1]]}},
        "models": dict.fromkeys(names, called),
        "routing": {"max_expensive_share": 0.3},
        "identity": {"bearer": True},
    }


@contextmanager
def app() -> Iterator[str]:
    """The URL of an app that mounts Turnout."""
    with served(provider.app) as origin:
        mounted = Starlette(middleware=[Middleware(TurnoutMiddleware, config=settings(origin))])
        with served(mounted) as url:
            yield url


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
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return version, {"start": done.stderr[-600:]}
    return version, json.loads(lines[-1])


def table(rows: Mapping[str, tuple[str, Mapping[str, str]]]) -> str:
    heads = [HEADS.get(check, check) for check in CHECKS]
    lines = [f"| client | version | {' | '.join(heads)} |", f"| --- | --- |{' --- |' * len(CHECKS)}"]
    for client, (version, results) in rows.items():
        cells = ["" if check not in results else "yes" if results[check] == "ok" else "no" for check in CHECKS]
        lines.append(f"| {client} | {version} | {' | '.join(cells)} |")
    return "\n".join(lines)


HEAD = """# Clients that were run

Written by `nox -s clients`. Each client ran in an environment of its own against an app that mounts Turnout, over HTTP,
unchanged but for URL, key and model, over one loopback provider. `yes`: what came back is what the provider said; `no`:
it was not; empty: not tried, or not a thing of this client's.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="the names of environments; all by default")
    parser.add_argument("--environments", type=Path, default=Path(".clients"), help="where they are kept")
    parser.add_argument("--write", type=Path, help="the page to write the table to")
    arguments = parser.parse_args()
    rows: dict[str, tuple[str, Mapping[str, str]]] = {}
    with app() as url:
        for client, (environment, program) in CLIENTS.items():
            if arguments.clients and environment not in arguments.clients:
                continue
            rows[client] = checked(environment, program, arguments.environments.absolute(), url)
            print(client, rows[client], flush=True)
    text = HEAD + table(rows) + "\n"
    if arguments.write:
        arguments.write.write_text(text, "utf-8")
    print(text)
    return int(any(result != "ok" for _, results in rows.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
