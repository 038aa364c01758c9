"""`turnout check --config turnout.toml`: is it right, and what does it mean?"""

from __future__ import annotations

import argparse

from turnout.assembly import Turnout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings file, turnout.toml")


def run(args: argparse.Namespace) -> int:
    """Builds what the app would build, short of serving. A wrong setting ends with its message and code 1."""
    settings = Turnout(args.config).settings
    print(f"cheap:     {', '.join(settings.tiers.cheap.models)}")
    print(f"expensive: {', '.join(settings.tiers.expensive.models)}")
    routing = settings.routing
    print(f"scorer:    {routing.scorer}")
    for wish in ("keep_quality", "max_expensive_share", "threshold"):
        if (value := getattr(routing, wish)) is not None:
            print(f"wish:      {wish} = {value:g}")
    cache = settings.cache
    print(f"cache:     {f'on, fresh for {cache.ttl_s:g} s, scope {cache.scope}' if cache.enabled else 'off'}")
    print("good")
    return 0
