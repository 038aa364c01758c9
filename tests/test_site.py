"""The documentation's site: menu and pages are whole, and it builds strictly where the `docs` extra is there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.api.response_headers import outcome_headers
from turnout.telemetry import names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_the_http_page_names_every_header_of_an_answer() -> None:
    """By the names that the code writes."""
    page = (DOCS / "reference" / "http.md").read_text("utf-8").lower()
    source = Path(outcome_headers.__code__.co_filename).read_text("utf-8")
    written = set(re.findall(r'"(x-[a-z-]+|cache-status|server-timing|age)"', source))
    assert written
    assert [name for name in sorted(written) if f"`{name}`" not in page] == []


def test_the_metrics_page_names_every_instrument() -> None:
    """OpenTelemetry's, by the one module of names."""
    page = (DOCS / "reference" / "metrics.md").read_text("utf-8")
    wanted = [names.REQUESTS, names.COST, names.OWN_DURATION, names.INFERENCE_DURATION, names.OPERATION_DURATION]
    assert [name for name in (*wanted, *names.COUNTER_NAMES.values()) if name not in page] == []


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the docs extra is not installed")
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """Every link and heading is there, the pictures of the benchmarks come along, the API's docstrings are read."""
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "benchmarks" / "results" / "train_routerbench.png").exists()
    assert "keep_quality" in (tmp_path / "site" / "reference" / "settings.html").read_text("utf-8")
    assert "max_expensive_share" in (tmp_path / "site" / "search" / "search_index.json").read_text("utf-8")
    assert "Where the request would go" in (tmp_path / "site" / "reference" / "python.html").read_text("utf-8")
