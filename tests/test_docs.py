"""The documents: short where promised, every link leads somewhere, every block is right."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from turnout.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDES = [page for page in PAGES if page.parent.name in ("guides", "explanation")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
TIERS = '[tiers]\ncheap = { models = ["openai/gpt-4o-mini"] }\nexpensive = { models = ["openai/gpt-4o"] }\n'


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text("utf-8"), re.S)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    """What is longer has a page."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and headings; addresses of the web are not asked."""
    for link in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_block_of_a_guide_is_right(page: Path, tmp_path: Path) -> None:
    """Settings are taken, beside the two tiers where they show a section alone; Python is Python."""
    for block in blocks(page, "toml"):
        (tmp_path / "turnout.toml").write_text(block if "[tiers" in block else TIERS + block)
        Settings.from_toml(tmp_path / "turnout.toml")
    for block in blocks(page, "python"):
        compile(block, name_of(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
