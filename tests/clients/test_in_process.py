"""The SDKs of this environment over the in-process transport: the checks of the client matrix, whole."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator

import pytest

from tests.clients import matrix, provider
from tests.support.apps import served


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The URL of the matrix' provider."""
    with served(provider.app) as url:
        yield url


@pytest.mark.parametrize("program", ["openai_sdk.py", "anthropic_sdk.py"])
def test_an_sdk_is_served_over_the_transport(
    program: str, origin: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chat, streams, tools, responses, messages, embeddings; Claude Code's shape at models that do not think."""
    for name, value in matrix.in_process_environ(origin).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(matrix.HERE))
    # It reads its environment when it is imported.
    monkeypatch.delitem(sys.modules, "report", raising=False)
    runpy.run_path(str(matrix.HERE / program))
    results = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert {check: said for check, said in results.items() if said != "ok"} == {}
    assert len(results) >= 5
