"""What every test may use: a loopback provider, and litellm imported once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.provider import LoopbackProvider


@pytest.fixture
def provider() -> Iterator[LoopbackProvider]:
    """A provider on loopback, told to stop at the end."""
    with LoopbackProvider() as running:
        yield running
