"""An app with Turnout mounted, over a loopback provider, served for real by uvicorn."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


def settings(base_url: str, **sections: Any) -> dict[str, Any]:
    """Settings of one cheap and one expensive model at this provider, prices told."""
    called = {"params": {"api_base": base_url}, "first_token_timeout_s": 2.0, "chunk_timeout_s": 2.0}
    return {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {
            "openai/small": {**called, "input_usd_per_million": 0.15, "output_usd_per_million": 0.6},
            "openai/large": {**called, "input_usd_per_million": 3, "output_usd_per_million": 12},
        },
        "routing": {"max_expensive_share": 0.5},
        "identity": {"user_header": "x-user-id"},
        "retry": {"base_s": 0.001, "cap_s": 0.01},
        **sections,
    }


def scripted_settings(origin: str, **sections: Any) -> dict[str, Any]:
    """Settings of two models of OpenAI's at this scripted provider, of which the first answers, tried once."""
    names = ("openai/gpt-4o-mini", "openai/gpt-4o")
    return {
        "tiers": {tier: {"models": [name]} for tier, name in zip(("cheap", "expensive"), names, strict=True)},
        "models": {name: {"params": {"api_base": f"{origin}/v1"}} for name in names},
        "routing": {"threshold": 1.0},
        "retry": {"attempts": 1},
        "fallback": {"other_tier": "none"},
        **sections,
    }


@contextmanager
def served(app: Any, *, lifespan: str = "on") -> Iterator[str]:
    """The base URL of the app, served by uvicorn in a thread, and stopped at the end."""
    # Named TCP: asyncio sets TCP_NODELAY on no other, and each answer would wait 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan=lifespan, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    for _ in range(6000):
        if server.started or not thread.is_alive():
            break
        time.sleep(0.01)
    assert server.started, "the server did not start"
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
