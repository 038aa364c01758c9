"""An app at each door that works on its own jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_jobs import App
from tests.support.job_doors import DOORS, scripted, turnout_with


@pytest.fixture(params=sorted(DOORS))
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    """An app that works on its own jobs."""
    provider = scripted({"openai/small": ["four"]})
    with DOORS[request.param](turnout_with(provider, tmp_path, cache={"enabled": False})) as url:
        app = App(url, provider)
        yield app
        app.http.close()
