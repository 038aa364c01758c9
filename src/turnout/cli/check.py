"""`turnout check --config turnout.toml`: is it right, and what does it mean?"""

from __future__ import annotations

import argparse
import asyncio

from turnout.settings import Settings
from turnout.turnout import Turnout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings file, turnout.toml")


def run(args: argparse.Namespace) -> int:
    """Builds what the app would build, short of serving. A wrong setting ends with its message and code 1."""
    settings = Turnout(args.config).settings
    print(f"cheap:     {', '.join(settings.tiers.cheap.models)}")
    print(f"expensive: {', '.join(settings.tiers.expensive.models)}")
    routing = settings.routing
    print(f"scorer:    {routing.scorer}")
    for target in ("keep_quality", "max_expensive_share", "threshold"):
        if (value := getattr(routing, target)) is not None:
            print(f"wish:      {target} = {value:g}")
    if routing.keep_quality is not None and routing.scorer != "default":
        print(f"           {_threshold_text(routing.scorer, routing.keep_quality)}")
    cache = settings.cache
    print(f"cache:     {f'on, fresh for {cache.ttl_s:g} s, scope {cache.scope}' if cache.enabled else 'off'}")
    for line in _transports(settings):
        print(line)
    print("good")
    return 0


def _transports(settings: Settings) -> list[str]:
    """Which way each model is called, where that is not the same for all."""
    if settings.upstream.transport == "litellm":
        return ["transport: litellm"]
    # Imported here: the settings are told first, litellm takes seconds.
    from turnout.upstream.transports import DirectProvider

    provider = DirectProvider(settings)
    asyncio.run(provider.load())
    ways = {name: provider.reason(name) for name in settings.model_names}
    return [f"transport: {name}: {'direct' if why is None else f'litellm: {why}'}" for name, why in ways.items()]


def _threshold_text(scorer: str, quality: float) -> str:
    """The threshold that keeps this quality with this scorer, in words: a score is a rank among its logs."""
    from turnout.routing.scorer import load

    threshold = load(scorer).threshold_for_quality(quality)
    if threshold >= 1.0:
        return "on the training logs the cheap tier alone kept that: nothing goes to the expensive one"
    if threshold <= 0.0:
        return "on the training logs nothing less kept that: everything goes to the expensive tier"
    share = f"{1 - threshold:.0%} of traffic like the training logs"
    return f"scores from {threshold:.4f} on go to the expensive tier: {share}"
