"""`turnout init`: a commented turnout.toml for the project at hand, and the one line to add to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from turnout.atomic_file import replacing
from turnout.cli.log_input import price_of
from turnout.cli.output_files import naming_write_errors
from turnout.cli.project_scan import CLIENTS, App, Project, SdkClient, scan
from turnout.cli.starting_settings import settings_text
from turnout.errors import TurnoutError, UsageError

# A cheap and an expensive model of each provider, as litellm names them.
PAIRS = {
    "openai": ("openai/gpt-4o-mini", "openai/gpt-4o"),
    "anthropic": ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-5"),
    "gemini": ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro"),
    "azure": ("azure/gpt-4o-mini", "azure/gpt-4o"),
    "bedrock": ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "mistral": ("mistral/mistral-small-latest", "mistral/mistral-large-latest"),
    "deepseek": ("deepseek/deepseek-chat", "deepseek/deepseek-reasoner"),
    "xai": ("xai/grok-3-mini", "xai/grok-3"),
    "groq": ("groq/openai/gpt-oss-20b", "groq/openai/gpt-oss-120b"),
    "openrouter": ("openrouter/openai/gpt-4o-mini", "openrouter/openai/gpt-4o"),
    "cohere_chat": ("cohere_chat/command-r7b-12-2024", "cohere_chat/command-a-03-2025"),
    "together_ai": ("together_ai/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
                    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "fireworks_ai": ("fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct",
                     "fireworks_ai/accounts/fireworks/models/deepseek-v3"),
    "perplexity": ("perplexity/sonar", "perplexity/sonar-pro"),
    "cerebras": ("cerebras/llama3.1-8b", "cerebras/llama-3.3-70b"),
    "sambanova": ("sambanova/gpt-oss-120b", "sambanova/DeepSeek-V3.1"),
    "deepinfra": ("deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct", "deepinfra/meta-llama/Llama-3.3-70B-Instruct"),
    "nebius": ("nebius/meta-llama/Meta-Llama-3.1-8B-Instruct", "nebius/meta-llama/Llama-3.3-70B-Instruct"),
    "novita": ("novita/meta-llama/llama-3.1-8b-instruct", "novita/meta-llama/llama-3.3-70b-instruct"),
    "moonshot": ("moonshot/kimi-k2.5", "moonshot/kimi-k3"),
    "dashscope": ("dashscope/qwen-turbo", "dashscope/qwen-max"),
    "zai": ("zai/glm-5.3-flash", "zai/glm-5"),
}  # fmt: skip
# Whose a model is whose name says no provider.
FAMILIES = (("claude-", "anthropic"), ("gemini-", "gemini"), ("mistral-", "mistral"), ("open-mi", "mistral"),
            ("deepseek-", "deepseek"), ("grok-", "xai"), ("", "openai"))  # fmt: skip
# The expensive tier is no use where it costs less than this many times as much.
LEAST_RATIO = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounting:
    """The lines to add, and where. line: after this one, 0 where the file is not known."""

    file: str
    line: int
    lines: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default=".", help="the project (default: this folder)")
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the file to write (turnout.toml)")
    parser.add_argument("--yes", action="store_true", help="write it without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else; asks nothing")


def run(args: argparse.Namespace) -> int:
    """Never overwrites a file. Exit code 1 where there is one, or where the answer is no."""
    folder = Path(args.folder)
    if not folder.is_dir():
        raise UsageError(f"{args.folder} is no folder; name the project's")
    path = folder / args.config
    if path.exists():
        raise TurnoutError(f"{path} exists already; `turnout check --config {path}` says what it means")
    project = scan(folder, os.environ)
    cheap, expensive = tiers_of(project)
    mounting = mounting_of(project.apps[0] if project.apps else None, path.name)
    if not args.json:
        print(_found(project, cheap, expensive), file=sys.stderr)
    if not (args.yes or args.json) and not _agreed(path):
        return 1
    with naming_write_errors(str(path)), replacing(path) as file:
        text = settings_text(cheap, expensive, has_redis=project.has_redis, address=project.address)
        file.write(text.encode())
    report = {
        "file": str(path),
        "cheap": cheap,
        "expensive": expensive,
        "apps": [asdict(app) for app in project.apps],
        "keys": [each for each in project.providers if each not in project.unloaded],
        "keys_not_loaded": list(project.unloaded),
        "address": project.address,
        "add": asdict(mounting),
        "clients": [asdict(client) for client in project.clients],
    }
    print(json.dumps(report) if args.json else _next_steps(path, mounting, project.clients))
    return 0


def tiers_of(project: Project) -> tuple[str, str]:
    """The cheap and the expensive model: of those that the code names, else of the provider whose key is at hand."""
    named = [(price, model) for name in project.models if (price := price_of(model := _full_name(name))) is not None]
    provider = next(iter(project.providers), "openai")
    if not named:
        return PAIRS[provider]
    (least, first), (most, last) = min(named), max(named)
    if most >= LEAST_RATIO * least:
        return first, last
    provider = last.partition("/")[0]
    cheap, expensive = PAIRS.get(provider, PAIRS["openai"])
    if (price_of(cheap) or 0.0) * LEAST_RATIO <= most:
        return cheap, last
    return (first, expensive) if (price_of(expensive) or 0.0) >= LEAST_RATIO * least else (cheap, expensive)


def _full_name(model: str) -> str:
    if "/" in model:
        return model
    return f"{next(provider for start, provider in FAMILIES if model.startswith(start))}/{model}"


def mounting_of(app: App | None, config: str) -> Mounting:
    """The lines that mount Turnout in this app; FastAPI's where there is none."""
    app = app or App(framework="FastAPI", file="your app's file", line=0, variable="app")
    door = "asgi" if app.framework in ("FastAPI", "Starlette", "Django (ASGI)") else "wsgi"
    name = app.variable
    line = {
        "Flask": f'{name}.wsgi_app = TurnoutMiddleware({name}.wsgi_app, config="{config}")',
        "Django": f'{name} = TurnoutMiddleware({name}, config="{config}")',
        "Django (ASGI)": f'{name} = TurnoutMiddleware({name}, config="{config}")',
    }.get(app.framework, f'{name}.add_middleware(TurnoutMiddleware, config="{config}")')
    imported = f"from turnout.{door} import TurnoutMiddleware"
    return Mounting(file=app.file, line=app.line, lines=(f"{app.indent}{imported}", f"{app.indent}{line}"))


def _agreed(path: Path) -> bool:
    print(f"write {path}? [Y/n] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        raise UsageError(f"nobody is here to say whether {path} may be written; pass --yes")
    return answer.strip().lower() in ("", "y", "yes")


def _found(project: Project, cheap: str, expensive: str) -> str:
    apps = ", ".join(f"{app.framework} in {app.file}" for app in project.apps[:3]) or "no FastAPI, Flask or Django app"
    models = ", ".join(project.models[:6]) or "none"
    loaded = [each for each in project.providers if each not in project.unloaded]
    keys = ", ".join(loaded) or "none, in the environment or in a .env that the project loads"
    lines = [f"app:    {apps}", f"models: {models}", f"keys:   {keys}"]
    if project.unloaded:
        lines.append(
            f"        {', '.join(project.unloaded)} in .env, which nothing here loads: export it, or start with "
            "`uvicorn --env-file .env` or the like"
        )
    if project.address:
        lines.append(f"server: {project.address}, in place of OpenAI's; no key is sent there without api_key_env")
    tiers = f"tiers:  {cheap} is cheap, {expensive} is expensive"
    guess = "        a guess: the code names no model that is known; change them in the file"
    return "\n".join([*lines, tiers, *([] if project.models else [guess])])


def _next_steps(path: Path, mounting: Mounting, clients: Sequence[SdkClient]) -> str:
    place = f"{mounting.file}, after line {mounting.line}" if mounting.line else mounting.file
    steps = [f"wrote {path}; add to {place}:", "\n".join(f"    {line}" for line in mounting.lines)]
    if clients:
        made = ", ".join(f"{client.file}, line {client.line}" for client in clients[:3])
        http = CLIENTS[clients[0].name]
        arguments = f'api_key="-", base_url="http://turnout/v1", http_client={http}(transport=turnout.transport())'
        steps += [
            f"your code asks a provider by itself ({made}); so that it is routed, import httpx and turnout there, and "
            "make the client with:",
            f"    {clients[0].name}({arguments})",
        ]
    return "\n\n".join([*steps, f"then: turnout check --config {path}"])
