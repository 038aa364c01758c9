"""`turnout init`: a commented turnout.toml for the project at hand, and the one line to add to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from turnout.atomic_file import replacing
from turnout.cli.log_input import price_of
from turnout.cli.output_files import naming_write_errors
from turnout.cli.project_scan import App, Project, scan
from turnout.cli.starting_settings import settings_text
from turnout.errors import TurnoutError, UsageError

# A cheap and an expensive model of each provider, as litellm names them.
PAIRS = {
    "openai": ("openai/gpt-4o-mini", "openai/gpt-4o"),
    "anthropic": ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-5"),
    "gemini": ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro"),
    "mistral": ("mistral/mistral-small-latest", "mistral/mistral-large-latest"),
    "deepseek": ("deepseek/deepseek-chat", "deepseek/deepseek-reasoner"),
    "xai": ("xai/grok-3-mini", "xai/grok-3"),
}
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
    if not (args.yes or args.json) and sys.stdin.isatty() and not _agreed(path):
        return 1
    with naming_write_errors(str(path)), replacing(path) as file:
        file.write(settings_text(cheap, expensive, has_redis=project.has_redis).encode())
    report = {
        "file": str(path),
        "cheap": cheap,
        "expensive": expensive,
        "apps": [asdict(app) for app in project.apps],
        "keys": list(project.providers),
        "add": asdict(mounting),
    }
    print(json.dumps(report) if args.json else _next_steps(path, mounting))
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
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def _found(project: Project, cheap: str, expensive: str) -> str:
    apps = ", ".join(f"{app.framework} in {app.file}" for app in project.apps[:3]) or "no FastAPI, Flask or Django app"
    models = ", ".join(project.models[:6]) or "none"
    keys = ", ".join(project.providers) or "none, in the environment or in .env"
    return f"app:    {apps}\nmodels: {models}\nkeys:   {keys}\ntiers:  {cheap} is cheap, {expensive} is expensive"


def _next_steps(path: Path, mounting: Mounting) -> str:
    place = f"{mounting.file}, after line {mounting.line}" if mounting.line else mounting.file
    imported, line = mounting.lines
    return f"wrote {path}; add to {place}:\n\n    {imported}\n    {line}\n\nthen: turnout check --config {path}"
