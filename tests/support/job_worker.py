"""`turnout worker`, by its own code, over a provider that is asked over plain HTTP: no litellm to wait for."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.support.worker_app import HttpProvider
from turnout import Turnout
from turnout.cli.worker import work
from turnout.testing import FixedScorer


def main(config: str, drain_s: float) -> None:
    provider = HttpProvider(os.environ["WORKER_PROVIDER"])
    turnout = Turnout(config, provider=provider, scorer=FixedScorer(0.1), works=True)
    asyncio.run(work(turnout, drain_s=drain_s))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
