"""What every test may use: a loopback provider, and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.light_training import light_training
from tests.support.provider import LoopbackProvider
from tests.support.redis_server import RedisServer
from tests.support.scripted_provider import ScriptedServer


@pytest.fixture
def provider() -> Iterator[LoopbackProvider]:
    """A provider on loopback, told to stop at the end."""
    with LoopbackProvider() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A provider that speaks each provider's own protocol, scripted by the test."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One redis-server for the whole session. It is shared: take a prefix of your own, and never stop it."""
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def light() -> Iterator[None]:
    """Training is light while the module's tests run: `pytestmark = pytest.mark.usefixtures("light")`."""
    with light_training():
        yield
