"""`turnout serve --config turnout.toml`: the endpoints alone, under uvicorn."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path

from turnout.cli.arguments import add_config, whole_number
from turnout.cli.standalone import CONFIG_VARIABLE
from turnout.errors import TurnoutError
from turnout.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=whole_number(0, 65_535), default=8000, help="the port (8000)")
    parser.add_argument(
        "--workers", type=whole_number(1), default=1, metavar="N", help="processes (1); share them by [redis]"
    )
    parser.add_argument("--json", action="store_true", help="print where it serves as one JSON object, before it does")


def run(args: argparse.Namespace) -> int:
    """Serves until it is stopped. Exit code 1 where the settings are wrong or the port is taken."""
    import uvicorn

    settings = Settings.from_toml(args.config)
    for warning in _warnings(args, settings):
        print(f"warning: {warning}", file=sys.stderr)
    _check_free(args.host, args.port)
    os.environ[CONFIG_VARIABLE] = str(Path(args.config).resolve())
    if args.json:
        print(json.dumps({"host": args.host, "port": args.port, "workers": args.workers}), flush=True)
    try:
        uvicorn.run(
            "turnout.cli.standalone:create_app",
            factory=True,
            host=args.host,
            port=args.port,
            workers=args.workers,
            log_level="info",
        )
    except SystemExit as stopped:
        # uvicorn's own way to say that it did not start; it has logged why.
        return 1 if stopped.code else 0
    return 0


def _check_free(host: str, port: int) -> None:
    """Raises TurnoutError where nothing can listen there: before litellm's import, which takes seconds."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # As the server binds: an address whose last connections still end is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise TurnoutError(f"{host}:{port}: {error.strerror}; name another with --port or --host") from error


def _warnings(args: argparse.Namespace, settings: Settings) -> list[str]:
    """What is meant otherwise, often."""
    warnings = []
    if args.workers > 1 and settings.redis is None:
        warnings.append(
            f"{args.workers} workers without [redis]: each has its own cache, and keeps limits and budgets by itself"
        )
    if args.host not in LOOPBACK:
        warnings.append(
            f"whoever reaches {args.host}:{args.port} spends your money: put authentication before it, and set "
            "[limits] and [budgets]"
        )
    return warnings
