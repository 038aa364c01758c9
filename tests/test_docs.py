"""The documents: short where promised, every link leads somewhere, every block is right."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

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
def test_every_setting_of_a_guide_is_taken(page: Path, tmp_path: Path) -> None:
    """Beside the two tiers where a block shows a section alone."""
    for block in blocks(page, "toml"):
        (tmp_path / "turnout.toml").write_text(block if "[tiers" in block else TIERS + block)
        Settings.from_toml(tmp_path / "turnout.toml")


@pytest.mark.parametrize("page", [page for page in GUIDES if blocks(page, "python")], ids=name_of)
def test_every_program_of_a_guide_runs_or_says_why_not(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one module, beside a settings file; a block that cannot has `<!-- not run here: why -->` above."""
    (tmp_path / "turnout.toml").write_text(TIERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    module: dict[str, Any] = {"__name__": page.stem}
    for excuse, block in re.findall(
        r"(?:<!-- not run here: (.+?) -->\n)?```python\n(.*?)```", page.read_text("utf-8"), re.S
    ):
        code = compile(block, name_of(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if not excuse:
            exec(code, module)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=name_of)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    """Its own parser takes it; what other programs do is theirs."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] != ["turnout"]:
                    continue
                parser = argparse.ArgumentParser(exit_on_error=False)
                import_module(f"turnout.cli.{words[1].replace('-', '_')}").add_arguments(parser)
                parser.parse_args(words[2:])


def in_menu(nav: Any) -> Iterator[str]:
    """Every page of the menu."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list):
        for each in nav:
            yield from in_menu(each)
    else:
        for each in nav.values():
            yield from in_menu(each)


def test_the_menu_names_every_page_once() -> None:
    """In mkdocs.yml: a page that no menu names is not found by its reader."""
    named = list(in_menu(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert sorted(named) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md"))
