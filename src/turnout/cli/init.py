"""`turnout init`: a commented turnout.toml for the project at hand, and the one line to add to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from turnout.atomic_file import replacing
from turnout.cli.client_lines import client_lines
from turnout.cli.output_files import naming_write_errors
from turnout.cli.project_scan import FoundApp, Project, scan
from turnout.cli.starting_settings import settings_text
from turnout.cli.tier_choice import TierChoice, tiers_of
from turnout.errors import TurnoutError, UsageError


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
    tiers = tiers_of(project)
    mountings = [mounting_of(app, path.name) for app in _served(project)] or [mounting_of(None, path.name)]
    if not args.json:
        print("\n".join(_found(project, tiers)), file=sys.stderr)
    if not (args.yes or args.json) and not _agreed(path):
        return 1
    with naming_write_errors(str(path)), replacing(path) as file:
        text = settings_text(tiers, has_redis=project.has_redis)
        file.write(text.encode())
    report = {
        "file": str(path),
        "cheap": tiers.cheap,
        "expensive": tiers.expensive,
        "guessed": tiers.guessed,
        "apps": [asdict(app) for app in project.apps],
        "keys": [each for each in project.providers if each not in project.unloaded],
        "keys_not_loaded": list(project.unloaded),
        "address": project.address,
        "add": asdict(mountings[0]),
        "or_add": [asdict(mounting) for mounting in mountings[1:]],
        "clients": [asdict(client) for client in project.clients],
    }
    print(json.dumps(report) if args.json else "\n\n".join(_next_steps(path, mountings, project)))
    return 0


def mounting_of(app: FoundApp | None, config: str) -> Mounting:
    """The lines that mount Turnout in this app; FastAPI's where there is none."""
    app = app or FoundApp(framework="FastAPI", file="your app's file", line=0, variable="app")
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


def _served(project: Project) -> list[FoundApp]:
    """The app to mount in; where Django has both of its entries, the WSGI one first: runserver's and gunicorn's."""
    django = {app.framework: app for app in reversed(project.apps) if app.framework.startswith("Django")}
    if project.apps and project.apps[0].framework.startswith("Django"):
        return [app for name in ("Django", "Django (ASGI)") if (app := django.get(name)) is not None]
    return list(project.apps[:1])


def _found(project: Project, tiers: TierChoice) -> Iterator[str]:
    apps = ", ".join(f"{app.framework} in {app.file}" for app in project.apps[:3]) or "no FastAPI, Flask or Django app"
    loaded = [each for each in project.providers if each not in project.unloaded]
    yield f"app:    {apps}"
    yield f"models: {', '.join(model.name for model in project.models[:4]) or 'none'}"
    yield f"keys:   {', '.join(loaded) or 'none, in the environment or in a .env that the project loads'}"
    if project.unloaded:
        yield f"        {', '.join(project.unloaded)} in .env, which nothing here loads: export it,"
        yield "        or start with `uvicorn --env-file .env` or the like"
    if project.address:
        yield f"server: {project.address}"
        yield "        in place of a provider's own; no key is sent there without api_key_env"
    yield f"tiers:  cheap      {tiers.cheap}"
    yield f"        expensive  {tiers.expensive}"
    if len(tiers.guessed) == 2:
        yield "        a guess: the code names no model that is known; change them in the file"
    elif tiers.guessed:
        yield f"        a guess: {tiers.guessed[0]};"
        yield "        the code does not name it, change it in the file"


def _next_steps(path: Path, mountings: list[Mounting], project: Project) -> Iterator[str]:
    for number, mounting in enumerate(mountings):
        place = f"{mounting.file}, after line {mounting.line}" if mounting.line else mounting.file
        start = f"or, where {mounting.file} is what is served," if number else f"wrote {path};"
        yield "\n".join([f"{start} add to {place}:", *(f"    {line}" for line in mounting.lines)])
    yield from client_lines(project.clients)
    yield f"then: turnout check --config {path}"
