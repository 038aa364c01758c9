"""Arguments that commands share."""

from __future__ import annotations

import argparse


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`, the settings file, in `args.config`."""
    parser.add_argument("--config", default="turnout.toml", metavar="FILE", help="the settings file (turnout.toml)")
