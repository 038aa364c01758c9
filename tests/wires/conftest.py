"""One provider a module, and an app at each door in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import fastapi_app, flask_app
from tests.support.apps import served, settings
from tests.support.provider import LoopbackProvider
from tests.support.wsgi_servers import validated


@pytest.fixture(scope="module")
def provider() -> Iterator[LoopbackProvider]:
    """A running provider. Its calls are those of the whole module."""
    with LoopbackProvider() as running:
        yield running


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def url(request: pytest.FixtureRequest, provider: LoopbackProvider) -> Iterator[str]:
    """The base URL of an app behind this door."""
    config = settings(provider.base_url)
    app = fastapi_app.mounted(config) if request.param == "asgi" else flask_app.mounted(config)
    with served(app) if request.param == "asgi" else validated(app) as base:
        yield base
