"""The reference is what the code says. `python docs/reference.py` writes it anew."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE = runpy.run_path(str(DOCS / "reference.py"))


@pytest.mark.parametrize("name", REFERENCE["PAGES"])
def test_the_page_is_what_the_code_says(name: str) -> None:
    """Settings from their classes, commands from their own help, which Python words otherwise from 3.13 on."""
    if name == "command-line.md" and sys.version_info >= (3, 13):
        pytest.skip("argparse words its help otherwise here")
    assert (DOCS / "reference" / name).read_text("utf-8") == REFERENCE["PAGES"][name]()


def test_every_setting_stands_in_the_reference() -> None:
    """Those of nested tables too."""
    page = REFERENCE["settings_page"]()
    for title in ("[tiers.cheap]", '[models."NAME"]', '[endpoints."/PATH"]', "[cache.semantic]", "[redis]"):
        assert f"## `{title}`" in page
    for row in ("| `max_expensive_share` | number | none |", "| `ttl_s` | number | `3600.0` |",
                "| `on_exhausted` | `\"refuse\"`, `\"cheap\"` | `\"refuse\"` |"):  # fmt: skip
        assert row in page
